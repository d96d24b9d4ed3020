//! COPY … FROM STDIN.

use std::{fmt, future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use futures::Sink;
use tokio_postgres::CopyInSink;

use crate::{
    Database, PgError, PgErrorKind,
    call::CallLimits,
    pool::Lease,
    session::{Flow, Loan},
    statistics::What,
};

/// Bytes of a message to the server. Smaller writes are gathered.
const MESSAGE: usize = 64 << 10;

/// Bytes of the largest message: a longer chunk goes in several.
const MOST: usize = 1 << 20;

impl Database {
    /// Starts a `COPY … FROM STDIN` of its own (autocommit). Returns when the server is ready for its data.
    ///
    /// # Errors
    /// `usage` when `sql` is no such statement; else as [`query`](Self::query).
    pub async fn copy_in(&self, sql: &str) -> Result<CopyIn, PgError> {
        self.limits.check(sql)?;
        self.refuse_copy_in()?;
        let work = |mut lease: Lease| async move { (lease.start_copy_in(sql).await, lease) };
        let (sink, lease) = self.on_lease(Some(What::Sql(sql)), work).await?;
        Ok(CopyIn::new(sink, Flow::of(Loan::own(lease)), self.limits))
    }
}

/// A COPY that takes data. Dropping it aborts it: nothing of it is stored.
///
/// Memory is bounded: a write waits until the server has taken what was written before. The grant's statement
/// timeout bounds each such wait, and the last one; not the time between writes.
pub struct CopyIn {
    /// None: it has failed.
    open: Option<Open>,
    limits: CallLimits,
}

/// A COPY under way.
struct Open {
    /// Dropped before the flow, so that the server hears first that the data ends in failure.
    sink: Pin<Box<CopyInSink<Bytes>>>,
    flow: Flow,
    gathered: BytesMut,
    /// A write was begun and not seen to end.
    torn: bool,
}

impl CopyIn {
    pub(crate) fn new(sink: Pin<Box<CopyInSink<Bytes>>>, flow: Flow, limits: CallLimits) -> Self {
        Self { open: Some(Open { sink, flow, gathered: BytesMut::new(), torn: false }), limits }
    }

    /// Writes some of the data; chunks need not end where rows do. After a write whose future was dropped the COPY
    /// can only be dropped too.
    ///
    /// # Errors
    /// What the server said to an earlier chunk; `timeout`, `connection`. The COPY has ended then.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), PgError> {
        let limits = self.limits;
        let open = self.usable()?;
        if open.gathered.len() + chunk.len() < MESSAGE {
            open.gathered.extend_from_slice(&chunk);
            return Ok(());
        }
        open.torn = true;
        let result = limits.bound(open.put(chunk)).await;
        open.torn = false;
        result.map_err(|error| self.fail(error))
    }

    /// Ends the data and waits until all of it is stored. Gives the number of rows.
    ///
    /// # Errors
    /// What the server says to the data; after `timeout` and `connection` it is unknown whether it was stored.
    pub async fn finish(mut self) -> Result<u64, PgError> {
        let limits = self.limits;
        let open = self.usable()?;
        match limits.bound(open.close()).await {
            Ok(rows) => open.flow.end(Ok(rows)),
            Err(error) => Err(self.fail(error).outcome_unknown()),
        }
    }

    fn usable(&mut self) -> Result<&mut Open, PgError> {
        match &mut self.open {
            Some(open) if !open.torn => Ok(open),
            Some(_) => Err(PgError::usage("a write was given up half-way: the copy can only be aborted")),
            None => Err(PgError::usage("the copy has ended with an error")),
        }
    }

    /// Lets go of the session: what the deadline ended is cancelled, the rest is over.
    fn fail(&mut self, error: PgError) -> PgError {
        let Some(Open { sink, mut flow, .. }) = self.open.take() else { return error };
        drop(sink);
        if error.kind == PgErrorKind::Timeout {
            return error;
        }
        let error = flow.end::<()>(Err(error.clone())).err().unwrap_or(error);
        error.with_line()
    }
}

impl Open {
    /// Sends what was gathered and then the chunk; a short rest is gathered anew.
    async fn put(&mut self, mut chunk: Bytes) -> Result<(), PgError> {
        self.flush().await?;
        while chunk.len() >= MESSAGE {
            let part = chunk.split_to(chunk.len().min(MOST));
            self.send(part).await?;
        }
        self.gathered.extend_from_slice(&chunk);
        Ok(())
    }

    async fn close(&mut self) -> Result<u64, PgError> {
        self.flush().await?;
        self.done().await
    }

    async fn flush(&mut self) -> Result<(), PgError> {
        let gathered = self.gathered.split().freeze();
        if gathered.is_empty() { Ok(()) } else { self.send(gathered).await }
    }

    /// Waits until the driver has room. A server that has refused earlier data wants no more: its reason is the
    /// error.
    async fn send(&mut self, data: Bytes) -> Result<(), PgError> {
        poll_fn(|cx| self.sink.as_mut().poll_ready(cx)).await?;
        if self.flow.failed() {
            self.done().await?;
            return Err(PgError::connection("the database server answered out of protocol"));
        }
        Ok(self.sink.as_mut().start_send(data)?)
    }

    async fn done(&mut self) -> Result<u64, PgError> {
        let rows = self.sink.as_mut().finish().await?;
        // The server counts the rows first and commits then: its last word comes behind the count, where the driver
        // expects none.
        match self.sink.as_mut().finish().await {
            Err(error) if error.as_db_error().is_some() || error.is_closed() => Err(error.into()),
            _ => Ok(rows),
        }
    }
}

impl fmt::Debug for CopyIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyIn").field("open", &self.open.is_some()).finish_non_exhaustive()
    }
}
