//! The bounds on one pool.

use std::{num::NonZeroUsize, time::Duration};

/// When a session's state is wiped before its next use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// When one of its statements may have changed it, judged by the statement's text, or when the server reports a
    /// change (of the time zone, of the search path since version 18). Calls of functions that are not known to be
    /// harmless count. What triggers, views, casts, operators and functions of the same name as a harmless one do unseen
    /// and unreported does not: a tenant that does so sees it in its own later requests, never in another tenant's.
    #[default]
    WhenDirtied,
    /// After every use.
    Always,
}

/// The bounds on one pool. All waits have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Sessions kept open, used or not; made when the registry is. At most `max_size` of them.
    pub min_size: usize,
    /// Most sessions at once.
    pub max_size: NonZeroUsize,
    /// Most statements under way on one session at once: reads of several calls share it when no session is free. 0 and
    /// 1: none do.
    pub max_riders: usize,
    /// Most calls that wait for a session at once. Further ones are refused.
    pub max_waiting: usize,
    /// Longest wait for a session to become free.
    pub checkout_timeout: Duration,
    /// Longest wait for a new connection, log-in included.
    pub connect_timeout: Duration,
    /// Longest run of one statement, its result's transfer included.
    pub statement_timeout: Duration,
    /// A session unused for this long is closed, unless `min_size` keeps it.
    pub idle_timeout: Duration,
    /// A session this old is closed as soon as it is not in use; up to a tenth earlier, so that not all go at once.
    pub max_lifetime: Duration,
    /// A session on which the server was silent for this long is asked whether it lives before its next use, and now
    /// and then without one: a firewall may have cut it off unseen.
    pub check_after: Duration,
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
    /// A call that takes this long or longer goes to the log, its values redacted.
    pub slow_statement: Duration,
    /// When sessions are wiped.
    pub reset: Reset,
}

impl Default for PoolLimits {
    fn default() -> Self {
        const TEN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);
        const STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
        Self {
            min_size: 0,
            max_size: TEN,
            max_riders: 32,
            max_waiting: 1000,
            checkout_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(10 * 60),
            max_lifetime: Duration::from_secs(30 * 60),
            check_after: Duration::from_secs(30),
            statements: STATEMENTS,
            max_result_bytes: 64 << 20,
            max_parameter_bytes: 16 << 20,
            max_replay_bytes: 1 << 20,
            max_replay_statements: 1000,
            slow_statement: Duration::from_secs(1),
            reset: Reset::default(),
        }
    }
}
