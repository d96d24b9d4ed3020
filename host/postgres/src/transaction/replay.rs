//! Running a transaction again after the server could not serialize it (SQLSTATE 40001, 40P01; PostgreSQL
//! documentation, section 13.5).
//!
//! The guest is in the middle of its own code and cannot run twice. But the server's answers are all that it knows of
//! the database: when the same calls give the same answers in a new transaction, the guest would have done the same,
//! and goes on unaware. When one answer differs the guest may have decided on what is no longer so, and is told.
//!
//! A transaction whose statement was prepared before its tables were changed is treated the same, also without retries at
//! its first statement, since nothing is known to the guest yet.
//!
//! Only a definite failure is replayed. A lost connection is not: at COMMIT the outcome is unknown, and before it the
//! old server process may still hold the transaction's locks against its own replay. A transaction that reads what is
//! never twice the same (a sequence, `random()`, `now()`) answers differently, and fails.

use std::time::Duration;

use crate::{PgError, backoff::Backoff, call::CallLimits, pool::Lease, rows::Block, session::Status};

use super::{
    call::{Call, Outcome},
    log::Log,
};

/// The wait before a transaction is run again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(4), longest: Duration::from_millis(250) };

/// A transaction to be replayed.
pub(super) struct Replay<'a> {
    /// The text that begins it.
    pub(super) opening: &'a str,
    pub(super) log: &'a Log,
    /// Of each call in the log.
    pub(super) limits: &'a CallLimits,
    /// Replays that were begun before.
    pub(super) begun: u32,
}

/// How a replay ended that did not fail for good.
pub(super) enum Replayed {
    /// As if nothing had happened; this is the answer of the call that had failed.
    Equal(Result<Block, PgError>),
    /// The server could not serialize it again.
    Again(PgError),
}

impl Replay<'_> {
    /// Rolls back, waits, begins anew, repeats the log and then `last`, within `limits`.
    ///
    /// # Errors
    /// When the transaction cannot be brought to where it was. It is rolled back, or will be with its lease.
    pub(super) async fn run(
        &self,
        lease: &mut Lease,
        last: Call<'_>,
        limits: &CallLimits,
    ) -> Result<Replayed, PgError> {
        self.limits.bound(roll_back(lease)).await?;
        BACKOFF.pause(self.begun).await;
        self.limits.bound(lease.command(self.opening)).await?;
        for (index, entry) in self.log.entries().iter().enumerate() {
            let answer = entry.kept.call().run(lease, self.limits).await;
            let answer = match answer {
                Err(error) if begins_anew(&error) => return Ok(Replayed::Again(error)),
                answer => answer,
            };
            let ended = lease.known_status() == Some(Status::Idle);
            match Outcome::of(&answer) {
                Outcome::Answered(digest) if digest == entry.answer && !ended => {}
                Outcome::Uncertain => return Err(answer.err().unwrap_or_else(|| differs(index))),
                Outcome::Answered(_) | Outcome::Unsent => {
                    self.limits.bound(roll_back(lease)).await?;
                    return Err(differs(index));
                }
            }
        }
        Ok(match last.run(lease, limits).await {
            Err(error) if begins_anew(&error) => Replayed::Again(error),
            answer => Replayed::Equal(answer),
        })
    }
}

/// Ends the transaction if it is open: a COMMIT that failed has ended it.
pub(super) async fn roll_back(lease: &mut Lease) -> Result<(), PgError> {
    match lease.status().await? {
        Status::Idle => Ok(()),
        Status::Open | Status::Failed => lease.command("ROLLBACK").await,
    }
}

fn begins_anew(error: &PgError) -> bool {
    error.is_stale() || error.is_serialization_failure()
}

fn differs(index: usize) -> PgError {
    let number = index + 1;
    let message = format!(
        "could not serialize access: the transaction was replayed, and its statement {number} read differently"
    );
    let mut error = PgError::database("40001", message);
    error.retryable = true;
    error
}
