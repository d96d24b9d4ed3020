//! One call within a transaction: what is run, what is kept of it, and what its answer comes to.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::{PgError, PgErrorKind, call::CallLimits, pool::Lease, rows::Block, statistics::What};

/// One call, as it came.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    /// A statement of the guest's with its parameter block.
    Query {
        sql: &'a str,
        params: &'a [u8],
    },
    /// The block of a batch.
    Batch(&'a [u8]),
    /// A command of the host's own: savepoints.
    Command(&'a str),
    Commit,
}

impl<'a> Call<'a> {
    /// What it is to the statistics.
    pub(super) fn what(self, limits: &CallLimits) -> Option<What<'a>> {
        match self {
            Self::Query { sql, .. } => Some(What::Sql(sql)),
            Self::Batch(block) => limits.read_batch(block).ok().map(|batch| batch.what()),
            Self::Command(_) | Self::Commit => None,
        }
    }

    /// Runs it to its end. Of a command the block is empty.
    pub(super) async fn run(self, lease: &mut Lease, limits: &CallLimits) -> Result<Block, PgError> {
        match self {
            Self::Query { sql, params } => {
                let params = limits.read(sql, params)?;
                limits.bound(lease.query(sql, &params)).await
            }
            Self::Batch(block) => {
                let batch = limits.read_batch(block)?;
                limits.bound(lease.batch(&batch, None)).await
            }
            Self::Command(sql) => limits.bound(lease.command(sql)).await.map(|()| Block::new()),
            Self::Commit => {
                let end = limits.bound(lease.command("COMMIT")).await;
                end.map(|()| Block::new()).map_err(PgError::outcome_unknown)
            }
        }
    }
}

/// A call, kept.
pub(super) enum Kept {
    /// The text is shared with the call before when it is the same.
    Query {
        sql: Arc<str>,
        params: Box<[u8]>,
    },
    Batch(Box<[u8]>),
    Command(Box<str>),
}

impl Kept {
    pub(super) fn call(&self) -> Call<'_> {
        match self {
            Self::Query { sql, params } => Call::Query { sql, params },
            Self::Batch(block) => Call::Batch(block),
            Self::Command(sql) => Call::Command(sql),
        }
    }
}

/// What an answer comes to: two answers of equal digest are the same. Cryptographic, since what a transaction reads may
/// have been written by someone who would like two different answers to look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

/// What an answer means for a later replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It must come again.
    Answered(Digest),
    /// The server was not asked.
    Unsent,
    /// What the server did is not known, or would not come again.
    Uncertain,
}

impl Outcome {
    pub(super) fn of(answer: &Result<Block, PgError>) -> Self {
        let mut hash = Sha256::new();
        match answer {
            Ok(block) => {
                hash.update(b"+");
                hash.update(block);
            }
            Err(error) => match error.kind {
                PgErrorKind::Database => {
                    hash.update(b"-");
                    hash.update(error.sqlstate().unwrap_or_default());
                }
                PgErrorKind::Usage => return Self::Unsent,
                _ => return Self::Uncertain,
            },
        }
        Self::Answered(Digest(hash.finalize().into()))
    }
}
