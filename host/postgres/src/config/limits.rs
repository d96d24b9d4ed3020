//! The bounds on one pool.

use std::{num::NonZeroUsize, time::Duration};

/// When a session's state is wiped before its next use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// When one of its statements may have changed it, judged by the statement's text. Calls of functions that
    /// are not known to be harmless count. What triggers, views and operators do unseen does not: a tenant that
    /// does so sees it in its own later requests, never in another tenant's.
    #[default]
    WhenDirtied,
    /// After every use.
    Always,
}

/// The bounds on one pool. All waits have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Most sessions at once.
    pub max_size: NonZeroUsize,
    /// Longest wait for a session to become free.
    pub checkout_timeout: Duration,
    /// Longest wait for a new connection, log-in included.
    pub connect_timeout: Duration,
    /// Longest run of one statement, its result's transfer included.
    pub statement_timeout: Duration,
    /// A session unused for this long is closed.
    pub idle_timeout: Duration,
    /// A session this old is closed at its next return.
    pub max_lifetime: Duration,
    /// Most prepared statements kept per session.
    pub statements: NonZeroUsize,
    /// Most bytes in one result block.
    pub max_result_bytes: usize,
    /// Most bytes in one parameter block, and in one statement's text.
    pub max_parameter_bytes: usize,
    /// Most bytes of statements and parameters that a transaction with retries keeps for its replay. Beyond it, it is
    /// not replayed any more.
    pub max_replay_bytes: usize,
    /// Most statements, savepoints included, that it keeps.
    pub max_replay_statements: usize,
    /// When sessions are wiped.
    pub reset: Reset,
}

impl Default for PoolLimits {
    fn default() -> Self {
        const TEN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);
        const STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
        Self {
            max_size: TEN,
            checkout_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(10 * 60),
            max_lifetime: Duration::from_secs(30 * 60),
            statements: STATEMENTS,
            max_result_bytes: 64 << 20,
            max_parameter_bytes: 16 << 20,
            max_replay_bytes: 1 << 20,
            max_replay_statements: 1000,
            reset: Reset::default(),
        }
    }
}
