//! What flows within a transaction: rows, and COPY data.
//!
//! A COPY has the transaction's session until it ends; other calls fail meanwhile instead of waiting, since who waits
//! may be the one who should go on with the COPY. A stream of rows is a cursor ([`cursor`](super::cursor)), which leaves
//! the session free between its parts. Neither is kept in the log: a transaction with one is not replayed.

use super::{State, Transaction, WithinTransaction, cursor::Cursor};
use crate::{
    CopyIn, CopyOut, PgError, RowStream, call::CallLimits, judge::is_query, pool::Lease, session::Flow,
};

/// Why it is not replayed.
const FLOWED: &str = "it has streamed rows or copied";

impl Transaction {
    /// Runs a query and gives its rows in blocks; other statements may run between them. Returns with the first
    /// block. A block is at most as large as a result; the first is of a few rows, later ones have about 64 KiB.
    ///
    /// Dropping a call for a block cancels it and usually aborts the transaction; dropping the stream between its
    /// blocks does not.
    ///
    /// # Errors
    /// As [`query`](Self::query); `usage` for a statement that is no query: only those have cursors.
    pub async fn stream(&self, sql: &str, params: &[u8]) -> Result<RowStream, PgError> {
        self.start_stream(sql, params, self.limits).await
    }

    /// Starts a `COPY … FROM STDIN`. Until it has ended, other calls of the transaction fail with `usage`. When it
    /// fails or is dropped, the transaction is aborted.
    ///
    /// # Errors
    /// As [`Database::copy_in`](crate::Database::copy_in).
    pub async fn copy_in(&self, sql: &str) -> Result<CopyIn, PgError> {
        self.start_copy_in(sql, self.limits).await
    }

    /// Starts a `COPY … TO STDOUT`. Until it has ended, other calls of the transaction fail with `usage`. When it
    /// fails or is dropped before its end, the transaction is aborted.
    ///
    /// # Errors
    /// As [`Database::copy_out`](crate::Database::copy_out).
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOut, PgError> {
        self.start_copy_out(sql, self.limits).await
    }

    async fn start_copy_in(&self, sql: &str, limits: CallLimits) -> Result<CopyIn, PgError> {
        limits.check(sql)?;
        let mut state = self.state.lock().await;
        let lease = state.flowing()?;
        let sink = limits.bound(lease.start_copy_in(sql)).await.map_err(not_replayed)?;
        Ok(CopyIn::new(sink, Flow::of(state.standing.lend()?), limits))
    }

    async fn start_copy_out(&self, sql: &str, limits: CallLimits) -> Result<CopyOut, PgError> {
        limits.check(sql)?;
        let mut state = self.state.lock().await;
        let lease = state.flowing()?;
        let data = limits.bound(lease.start_copy_out(sql)).await.map_err(not_replayed)?;
        Ok(CopyOut::new(data, Flow::of(state.standing.lend()?), limits))
    }

    async fn start_stream(&self, sql: &str, params: &[u8], limits: CallLimits) -> Result<RowStream, PgError> {
        let params = limits.read(sql, params)?;
        if !is_query(sql) {
            return Err(PgError::usage_hint(
                "within a transaction only a query that changes nothing can be streamed",
                "start it with select, values, table or with; or run it with query",
            ));
        }
        let mut state = self.state.lock().await;
        state.flowing()?;
        let State { standing, cursors, .. } = &mut *state;
        let lease = standing.open()?;
        cursors.sweep(lease, &limits).await?;
        let cursor = Cursor::open(&self.state, cursors, lease, limits, (sql, &params)).await;
        cursor.map(RowStream::of_cursor).map_err(not_replayed)
    }
}

impl State {
    /// The lease of an open transaction, for something that its log cannot keep.
    fn flowing(&mut self) -> Result<&mut Lease, PgError> {
        let lease = self.standing.open()?;
        self.log.give_up(FLOWED);
        Ok(lease)
    }
}

fn not_replayed(error: PgError) -> PgError {
    if error.is_serialization_failure() { error.not_replayed(FLOWED) } else { error }
}

impl WithinTransaction<'_> {
    /// As [`Transaction::stream`]. The time bounds each part.
    ///
    /// # Errors
    /// As there.
    pub async fn stream(&self, sql: &str, params: &[u8]) -> Result<RowStream, PgError> {
        self.transaction.start_stream(sql, params, self.limits).await
    }

    /// As [`Transaction::copy_in`].
    ///
    /// # Errors
    /// As there.
    pub async fn copy_in(&self, sql: &str) -> Result<CopyIn, PgError> {
        self.transaction.start_copy_in(sql, self.limits).await
    }

    /// As [`Transaction::copy_out`].
    ///
    /// # Errors
    /// As there.
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOut, PgError> {
        self.transaction.start_copy_out(sql, self.limits).await
    }
}
