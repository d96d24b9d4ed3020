//! Results of any size, taken in blocks.
//!
//! Nothing is read ahead of the guest but what is on the wire: the driver holds a few reads of the socket at most, and
//! stops reading when nobody takes them; then the server waits. So memory is bounded on both sides, however long the
//! result and however slow the guest.
//!
//! The grant's statement timeout bounds each wait for the server: for the first row, and for the next whenever rows
//! are asked for and none is there. The time that the guest or its client takes between does not count.

mod pieces;
mod rows;

use std::{fmt, sync::Arc, task::Context, task::Poll};

pub(crate) use self::{
    pieces::{Pieces, Source},
    rows::Rows,
};
use crate::{
    Database, PgError,
    call::CallLimits,
    pool::Lease,
    rows::Block,
    session::{End, Flow, Incoming, Loan, Opening},
    statement::Prepared,
    statistics::What,
    transaction::Cursor,
};

impl Database {
    /// Runs one statement (autocommit) and gives its rows in blocks. Returns when the first row is there, or when
    /// there is none. Dropping the future or the stream cancels the statement. What one writes that gives rows is
    /// committed when its last row has come: given up before, nothing of it is done. The stream holds a session until its
    /// end.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn stream(&self, sql: &str, params: &[u8]) -> Result<RowStream, PgError> {
        let rows = self.rows(sql, params).await?;
        Ok(RowStream::new(rows, self.limits))
    }

    /// Starts a statement whose rows flow.
    pub(crate) async fn rows(&self, sql: &str, params: &[u8]) -> Result<Rows, PgError> {
        let params = &self.limits.read(sql, params)?;
        let opening = &self.opening_of_flow();
        let work = |mut lease: Lease| async move {
            let opening = opening.as_deref().map(|sql| Opening { sql, end: End::Reads });
            (lease.start_rows(opening, sql, params).await, lease)
        };
        let (incoming, lease) = self.on_lease(Some(What::Sql(sql)), work).await?;
        Ok(Rows::new(incoming, Flow::of(Loan::own(lease))))
    }
}

/// The rows of a statement, in blocks.
pub struct RowStream(Kind);

#[allow(clippy::large_enum_variant, reason = "there is one in a stream, and it is hardly ever moved")]
enum Kind {
    /// The rows of a statement of its own.
    Rows { pieces: Pieces<Packed>, prepared: Arc<Prepared> },
    /// Within a transaction.
    Cursor(Cursor),
}

impl RowStream {
    /// What is left of a statement whose first rows were taken.
    pub(crate) fn rest(incoming: Incoming, lease: Lease, limits: CallLimits) -> Self {
        Self::new(Rows::new(incoming, Flow::of(Loan::own(lease))), limits)
    }

    fn new(rows: Rows, limits: CallLimits) -> Self {
        let prepared = Arc::clone(rows.prepared());
        let packed = Packed { rows, limit: limits.max_result_bytes };
        Self(Kind::Rows { pieces: Pieces::new(packed, limits.statement_timeout), prepared })
    }

    pub(crate) fn of_cursor(cursor: Cursor) -> Self {
        Self(Kind::Cursor(cursor))
    }

    /// The columns, packed as in a result block.
    #[must_use]
    pub fn columns(&self) -> &[u8] {
        match &self.0 {
            Kind::Rows { prepared, .. } => prepared.columns.packed(),
            Kind::Cursor(cursor) => cursor.columns(),
        }
    }

    /// The next rows: a packed list of tuples, as in a result block; none at the end. The first block is small,
    /// later ones have about 64 KiB, or less when the server is slow. Dropping the future loses nothing, but within a
    /// transaction, where it gives up the call.
    ///
    /// # Errors
    /// Any kind; the stream has ended then.
    pub async fn next(&mut self) -> Result<Option<Block>, PgError> {
        match &mut self.0 {
            Kind::Rows { pieces, .. } => std::future::poll_fn(|cx| pieces.poll_next(cx)).await.transpose(),
            Kind::Cursor(cursor) => cursor.next().await,
        }
    }
}

/// Rows as a guest's tuples.
struct Packed {
    rows: Rows,
    limit: usize,
}

impl Source for Packed {
    fn poll_add(&mut self, piece: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<Result<(), PgError>>> {
        self.rows.poll_with(cx, |prepared, row| prepared.columns.push(row, piece, self.limit))
    }
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").finish_non_exhaustive()
    }
}
