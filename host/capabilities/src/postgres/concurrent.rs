//! Calls that wait while the guest's other tasks go on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fasterapi_bindings::postgres::{
    client::{self, CopyReader, CopyWriter, Rows, Transaction},
    types::{Error, TransactionOptions},
};
use fasterapi_postgres::{Database, PgError};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::PollSender;
use wasmtime::{
    StoreContextMut,
    component::{Accessor, Resource, Source, StreamConsumer, StreamReader, StreamResult},
};

use super::{
    Answer, Postgres,
    client::{bytes_of, given, transaction_options},
    context::millis,
    error::refusal,
};

/// Most bytes of a stream that are taken at once.
const MAX_PART: usize = 64 << 10;

/// `work` under a ticket by which the guest may cancel it.
pub(super) async fn waiting<S, T>(
    accessor: &Accessor<S, Postgres>,
    ticket: u32,
    work: impl Future<Output = Result<T, Error>>,
) -> Answer<T> {
    let cancelled = given!(accessor.with(|mut access| access.get().ctx.wait(ticket)));
    let result = cancelled.run_until_cancelled(work).await;
    accessor.with(|mut access| access.get().ctx.waited(ticket));
    Ok(result.unwrap_or_else(|| Err(refusal(PgError::canceled()))))
}

/// The same for a call of the postgres crate.
pub(super) async fn asking<S, T>(
    accessor: &Accessor<S, Postgres>,
    ticket: u32,
    work: impl Future<Output = Result<T, PgError>>,
) -> Answer<T> {
    waiting(accessor, ticket, async { work.await.map_err(refusal) }).await
}

impl<T: Send> client::HostWithStore<T> for Postgres {
    async fn query_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<(Vec<u8>, Option<Resource<Rows>>)> {
        let database = given!(accessor.with(|mut access| access.get().database(&database)));
        let parameters = given!(bytes_of(parameters));
        let database = database.within(millis(timeout));
        let (block, rest) = given!(asking(accessor, ticket, database.fetch(&statement, &parameters)).await?);
        let rest = accessor.with(|mut access| access.get().lend_rest(rest))?;
        Ok(rest.map(|rest| (block, rest)))
    }

    async fn batch_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statements: String,
        timeout: u32,
    ) -> Answer<Vec<u8>> {
        let database = given!(accessor.with(|mut access| access.get().database(&database)));
        let statements = given!(bytes_of(statements));
        asking(accessor, ticket, database.within(millis(timeout)).batch(&statements)).await
    }

    async fn begin_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        options: TransactionOptions,
    ) -> Answer<Resource<Transaction>> {
        let (place, database) = given!(accessor.with(|mut access| access.get().leasable(&database)));
        let begun = given!(asking(accessor, ticket, database.begin(transaction_options(&options))).await?);
        accessor.with(|mut access| access.get().lend(place, begun)).map(Ok)
    }

    async fn stream_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        let (place, database) = given!(accessor.with(|mut access| access.get().leasable(&database)));
        let parameters = given!(bytes_of(parameters));
        let database = database.within(millis(timeout));
        let rows = given!(asking(accessor, ticket, database.stream(&statement, &parameters)).await?);
        accessor.with(|mut access| access.get().lend_rows_of(place, rows)).map(Ok)
    }

    async fn copy_in_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statement: String,
    ) -> Answer<Resource<CopyWriter>> {
        let (place, database) = given!(accessor.with(|mut access| access.get().leasable(&database)));
        let copy = given!(asking(accessor, ticket, database.copy_in(&statement)).await?);
        accessor.with(|mut access| access.get().lend(place, Mutex::new(Some(copy)))).map(Ok)
    }

    async fn copy_out_async(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statement: String,
    ) -> Answer<Resource<CopyReader>> {
        let (place, database) = given!(accessor.with(|mut access| access.get().leasable(&database)));
        let copy = given!(asking(accessor, ticket, database.copy_out(&statement)).await?);
        accessor.with(|mut access| access.get().lend(place, Mutex::new(copy))).map(Ok)
    }

    async fn copy_from(
        accessor: &Accessor<T, Self>,
        ticket: u32,
        database: String,
        statement: String,
        first: String,
        rest: Option<StreamReader<u8>>,
    ) -> Answer<u64> {
        let (_place, database) = given!(accessor.with(|mut access| access.get().leasable(&database)));
        let first = given!(bytes_of(first));
        let (sender, parts) = mpsc::channel(1);
        match rest {
            Some(rest) => {
                let parts = Parts(PollSender::new(sender));
                accessor.with(|access| rest.pipe(access, parts))?;
            }
            // Else the copy would wait for more.
            None => drop(sender),
        }
        asking(accessor, ticket, copy(database, statement, first.into(), parts)).await
    }
}

async fn copy(
    database: Database,
    statement: String,
    first: Bytes,
    mut parts: mpsc::Receiver<Bytes>,
) -> Result<u64, PgError> {
    let mut copy = database.copy_in(&statement).await?;
    copy.write(first).await?;
    while let Some(part) = parts.recv().await {
        copy.write(part).await?;
    }
    copy.finish().await
}

/// Takes a guest's stream in parts, no faster than they are wanted.
struct Parts(PollSender<Bytes>);

impl<D> StreamConsumer<D> for Parts {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.0.poll_reserve(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            polled => drop(ready!(polled)),
        }
        let mut source = source.as_direct(store);
        let offered = source.remaining();
        let taken = offered.len().min(MAX_PART);
        let part = offered.get(..taken).map(Bytes::copy_from_slice).unwrap_or_default();
        if !part.is_empty() && self.0.send_item(part).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        source.mark_read(taken);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
