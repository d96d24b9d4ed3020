//! COPY … TO STDOUT.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::Stream;
use tokio_postgres::CopyOutStream;

use crate::{
    Database, PgError,
    call::CallLimits,
    pool::Lease,
    session::{Flow, Loan},
    statistics::What,
    stream::{Pieces, Source},
};

impl Database {
    /// Starts a `COPY … TO STDOUT` of its own (autocommit). Returns when the server has begun to answer.
    ///
    /// # Errors
    /// `usage` when `sql` is no such statement; else as [`query`](Self::query).
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOut, PgError> {
        self.limits.check(sql)?;
        let opening = &self.opening_of_flow();
        let work = |mut lease: Lease| async move {
            let data = async {
                lease.begin_flow(opening.as_deref()).await?;
                lease.start_copy_out(sql).await
            };
            (data.await, lease)
        };
        let (data, lease) = self.on_lease(Some(What::Sql(sql)), work).await?;
        Ok(CopyOut::new(data, Flow::of(Loan::own(lease)), self.limits))
    }
}

/// The data of a COPY, in chunks of about 64 KiB that need not end where rows do. Dropping it cancels the COPY.
/// Memory and time are bounded as for [`RowStream`](crate::RowStream). As a `Stream` it ends after an error: a taker
/// that sees no error has all of the data.
pub struct CopyOut(Pieces<Data>);

impl CopyOut {
    pub(crate) fn new(data: Pin<Box<CopyOutStream>>, flow: Flow, limits: CallLimits) -> Self {
        Self(Pieces::new(Data { data, flow, stage: Stage::Data }, limits.statement_timeout))
    }

    /// The next chunk, never an empty one; none at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Any kind but `usage`; the COPY has ended then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PgError> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await.map(|piece| piece.map(Bytes::from)).transpose()
    }
}

impl Stream for CopyOut {
    type Item = Result<Bytes, PgError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().0.poll_next(cx).map_ok(Bytes::from)
    }
}

struct Data {
    data: Pin<Box<CopyOutStream>>,
    flow: Flow,
    stage: Stage,
}

/// What of the server's answer comes next. The driver knows only the data: what follows, to it, is out of place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    /// CommandComplete.
    Tag,
    /// ReadyForQuery, or the failure of the commit.
    Ready,
}

impl Source for Data {
    fn poll_add(&mut self, piece: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<Result<(), PgError>>> {
        loop {
            let failed = match ready!(self.data.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => {
                    piece.extend_from_slice(&bytes);
                    return Poll::Ready(Some(Ok(())));
                }
                Some(Err(error)) => Some(error),
                None => None,
            };
            self.stage = match (self.stage, failed) {
                (Stage::Data, None) => Stage::Tag,
                (stage, Some(error)) if stage == Stage::Data || is_failure(&error) => {
                    return Poll::Ready(Some(self.flow.end(Err(error.into()))));
                }
                (Stage::Tag, _) => Stage::Ready,
                _ => return Poll::Ready(self.flow.end(Ok(())).err().map(Err)),
            };
        }
    }
}

/// Whether it is more than a message that the driver does not expect.
fn is_failure(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some() || error.is_closed()
}

impl fmt::Debug for CopyOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOut").finish_non_exhaustive()
    }
}
