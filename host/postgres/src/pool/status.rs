//! What is seen of a pool from outside.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A pool at one moment. The numbers are taken one after the other: under load they may be off by a few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Most sessions at once.
    pub max_size: usize,
    /// Sessions that are open or being opened.
    pub size: usize,
    /// Of these, being opened.
    pub opening: usize,
    /// Of these, ready for use.
    pub idle: usize,
    /// Of these, held by one call or transaction, or being cleaned after it.
    pub leased: usize,
    /// Calls that wait for a session.
    pub waiting: usize,
    /// The last attempt to open a session failed.
    pub failing: bool,
    /// What has happened since the start.
    pub totals: PoolTotals,
}

/// Counts since a pool's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolTotals {
    /// Calls that got an idle session, those included that had waited for it.
    pub taken: u64,
    /// Calls that had to wait.
    pub waits: u64,
    /// How long they waited together.
    pub waited: Duration,
    /// Of these, those that waited in vain until their deadline.
    pub timeouts: u64,
    /// Calls refused at once: too many waited, or the server was down.
    pub refused: u64,
    /// Calls whose statement shared a session with others'.
    #[serde(default)]
    pub ridden: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Attempts to open one that failed.
    pub failures: u64,
}
