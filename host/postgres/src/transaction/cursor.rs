//! A stream of rows within a transaction: a cursor, so that other statements can run between its parts.

use std::sync::{Arc, Weak};

use parking_lot::Mutex as Shortly;
use tokio::sync::Mutex;

use super::State;
use crate::{
    PgError,
    call::CallLimits,
    pool::Lease,
    rows::Block,
    session::{Fetched, Status},
    statement::Prepared,
};

/// Bytes of a full part.
const FULL: usize = 64 << 10;
/// Rows of the first part: nothing is known of their size.
const FIRST: u32 = 16;
/// Most rows of a part, and how many times more of them than in the part before.
const MOST: u32 = 100_000;
const GROWTH: u32 = 8;

/// The cursors of one transaction.
#[derive(Default)]
pub(super) struct Cursors {
    opened: u32,
    /// Those whose streams were dropped before their end. They hold their tables, which cannot be altered then.
    dropped: Arc<Shortly<Vec<String>>>,
}

impl Cursors {
    pub(super) fn name(&mut self) -> String {
        self.opened = self.opened.wrapping_add(1);
        format!("\"fasterapi stream {}\"", self.opened)
    }

    /// Closes what was dropped. In an aborted transaction that is not possible, nor needed yet.
    pub(super) async fn sweep(&self, lease: &mut Lease, limits: &CallLimits) -> Result<(), PgError> {
        if self.dropped.lock().is_empty() || lease.known_status() != Some(Status::Open) {
            return Ok(());
        }
        let names = std::mem::take(&mut *self.dropped.lock());
        limits.bound(lease.close_cursors(&names)).await
    }
}

/// An open cursor.
pub(crate) struct Cursor {
    /// Not the transaction's life: that ends with its owner.
    transaction: Weak<Mutex<State>>,
    limits: CallLimits,
    name: String,
    prepared: Arc<Prepared>,
    first: Option<Block>,
    count: u32,
    course: Course,
    dropped: Arc<Shortly<Vec<String>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Open,
    /// A fetch has failed, or was begun and not seen to end.
    Torn,
    /// It is closed.
    Ended,
}

impl Cursor {
    /// Opens it and takes its first part.
    pub(super) async fn open(
        transaction: &Arc<Mutex<State>>,
        cursors: &mut Cursors,
        lease: &mut Lease,
        limits: CallLimits,
        statement: (&str, &crate::params::Params<'_>),
    ) -> Result<Self, PgError> {
        let (name, (sql, params)) = (cursors.name(), statement);
        let prepared = limits.bound(lease.declare(&name, sql, params)).await?;
        let mut cursor = Self {
            transaction: Arc::downgrade(transaction),
            limits,
            name,
            prepared,
            first: None,
            count: FIRST,
            course: Course::Open,
            dropped: Arc::clone(&cursors.dropped),
        };
        cursor.first = cursor.fetch(lease).await?;
        Ok(cursor)
    }

    pub(crate) fn columns(&self) -> &[u8] {
        self.prepared.columns.packed()
    }

    /// The next part; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>, PgError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match self.course {
            Course::Open => {}
            Course::Torn => return Err(PgError::usage("the stream has failed, or was given up half-way")),
            Course::Ended => return Ok(None),
        }
        let Some(state) = self.transaction.upgrade() else { return Err(super::ended()) };
        let mut state = state.lock().await;
        self.fetch(state.standing.open()?).await
    }

    async fn fetch(&mut self, lease: &mut Lease) -> Result<Option<Block>, PgError> {
        self.course = Course::Torn;
        let limit = self.limits.max_result_bytes;
        let fetch = lease.fetch(&self.name, &self.prepared, self.count, limit);
        let Fetched { block, rows } = self.limits.bound(fetch).await?;
        self.course = Course::Ended;
        if rows == self.count {
            self.course = Course::Open;
            let fitting = FULL * rows as usize / block.len().max(1);
            self.count = (fitting as u32).clamp(1, self.count.saturating_mul(GROWTH).min(MOST));
        }
        Ok((rows > 0).then_some(block))
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if self.course != Course::Ended {
            self.dropped.lock().push(std::mem::take(&mut self.name));
        }
    }
}
