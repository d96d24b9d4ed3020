//! Statistics for whoever asks.

use serde::{Deserialize, Serialize};

use super::Times;

/// What the calls of one form on one route did since the host's start. The numbers are taken one after the other: under
/// load they may be off by a few.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatementReport {
    /// The route, as `fasterapi-host routes` names it; `*` for what belongs to none.
    pub route: String,
    /// The form of the statement: its text, `?` for each value; `(transaction)` for a transaction as a whole.
    pub statement: String,
    /// How long the calls took, the wait for a session and what was streamed included.
    pub micros: Times,
    /// How long they waited for a session.
    pub waited_micros: Times,
    /// Calls that ended with an error, or were given up.
    pub failed: u64,
    /// Bytes to the server.
    pub sent_bytes: u64,
    /// Bytes from the server.
    pub received_bytes: u64,
    /// Rows from the server.
    pub rows: u64,
    /// Statements that the server had to parse: the other calls found theirs prepared.
    pub parsed: u64,
    /// Transactions that were begun anew, because the server could not serialize them.
    pub retries: u64,
    /// Of these, those that read the same again: their guests saw nothing of it.
    pub replays: u64,
}
