//! Statements that ride: while every session of a pool is in use, reads of several calls go over one session's wire,
//! each ahead of the answers to those before it.
//!
//! The contract: a call that rides is answered as if it had a session of its own. Each statement is a transaction of its
//! own, ended by its own Sync, so that no error, and no snapshot, is another's. The pool lends the session to a task
//! ([`pool::share`](crate::pool)), never to a caller, whose future may be dropped at any time; the task sends what stands
//! at the front of the pool's line, takes the answers in their order, and gives the session back when the line has no
//! more for it, or has one first that wants a session alone.
//!
//! Who rides is decided here and by the pool's policy. Reads only, by their words, which leave the session as it is
//! ([`judge`]) and wait for no row: a write may stand before the lock of a row for as long as another transaction likes,
//! and with it all that are behind it on the wire. For the same reason a statement that holds others up, by its time or
//! by the size of its result, is cancelled, which undoes it, and runs again on a session of its own, as all of its text
//! do for a while. A cancel that comes too late may hit one behind: that one is undone too, and runs again. So a
//! cancel, whoever caused it, is felt by nobody else.
//!
//! What is not seen by a statement's words (a view that calls what sets a variable) stays within the pool, as ever; where
//! the server reports it, nobody who came behind it gets an answer of that session, but another's.
//!
//! A server that dies is told to those whose statements were sent: they may have run. When it said itself that it ends,
//! only the first was under way; those behind it have not run, and run again.
//!
//! Left to leases: what is in a transaction, under variables or in a read-only grant (a transaction too), streams, COPY,
//! and all that is done with a pool whose sessions are reset after every use.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{
    PgError,
    call::CallLimits,
    judge::{Trace, judge},
    lexer::{Token, is_word, tokens},
    params::Params,
    pool::Lease,
    rows::Block,
    statistics::{Moved, Observation},
};

/// A call that holds others up for this long is cancelled and runs alone.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes of a result that rides.
pub(crate) const MOST_RESULT: usize = 256 << 10;
/// Bytes of a statement's text that rides: longer ones are prepared for each use.
const MOST_TEXT: usize = 16 << 10;
/// Bytes of parameters that ride.
const MOST_PARAMS: usize = 16 << 10;

/// A statement that waits, and may ride. It owns what it takes: its call may be gone while it is under way.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) sql: Box<str>,
    pub(crate) params: Box<[u8]>,
    pub(crate) limits: CallLimits,
    boarded: OnceLock<Instant>,
}

impl Passage {
    /// None: it is too big.
    pub(crate) fn new(sql: &str, params: &[u8], limits: &CallLimits) -> Option<Self> {
        let fits = sql.len() <= MOST_TEXT && params.len() <= MOST_PARAMS;
        let (limits, boarded) = (*limits, OnceLock::new());
        fits.then(|| Self { sql: sql.into(), params: params.into(), limits, boarded })
    }

    /// Its statement is sent, or prepared to be.
    pub(crate) fn board(&self, now: Instant) {
        let _ = self.boarded.set(now);
    }

    pub(crate) fn boarded(&self) -> Option<Instant> {
        self.boarded.get().copied()
    }

    pub(crate) fn params(&self) -> Result<Params<'_>, PgError> {
        Params::read(&self.params, self.limits.max_parameter_bytes)
    }
}

/// What a call gets that may ride.
pub(crate) enum Told {
    /// A session of its own.
    Lease(Lease),
    /// Its answer.
    Answer(Carried),
    /// To go and get a session of its own: nothing of it is done.
    Alone,
}

/// The answer to a statement that rode.
pub(crate) struct Carried {
    pub(crate) result: Result<Block, PgError>,
    /// What was moved for it.
    pub(crate) moved: Moved,
    pub(crate) boarded: Option<Instant>,
}

impl Carried {
    /// The answer, once its call is noted.
    pub(crate) fn observed(self, call: Option<Observation>) -> Result<Block, PgError> {
        if let Some(call) = call {
            call.rode(self.boarded, self.moved, self.result.is_err());
        }
        self.result
    }
}

/// Whether a statement of this text may ride.
pub(crate) fn may_ride(sql: &str) -> bool {
    judge(sql).is_ok_and(|trace| trace == Trace::None) && is_plain_read(sql)
}

/// A query by its first word that locks no rows and does not sleep.
fn is_plain_read(sql: &str) -> bool {
    const QUERY: &[&str] = &["select", "values", "table"];
    const LOCKS: &[&str] = &["update", "no", "share", "key"];
    let is_one = |token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    let mut before = Token::Sign(b' ');
    let mut waits = false;
    for (place, token) in tokens(sql).enumerate() {
        if place == 0 && !is_one(token, QUERY) {
            return false;
        }
        waits |= is_word(before, "for") && is_one(token, LOCKS);
        waits |= is_word(token, "pg_sleep");
        before = token;
    }
    !waits && before != Token::Sign(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_reads_ride() {
        for sql in [
            "SELECT 1",
            "select * from items where id = $1",
            "/* x */ SELECT substring(name for 3), 'for update' FROM t",
            "VALUES (1), (2)",
            "TABLE items",
            "SELECT count(*) FROM a JOIN b USING (id) -- for update",
            "SELECT \"for\" update FROM t",
        ] {
            assert!(may_ride(sql), "{sql}");
        }
    }

    #[test]
    fn what_writes_waits_or_touches_the_session_does_not() {
        for sql in [
            "",
            "   ",
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x",
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM t FOR /* no */ NO KEY UPDATE",
            "SELECT * FROM t for share SKIP LOCKED",
            "SELECT * FROM t FOR KEY SHARE OF t",
            "SELECT pg_sleep(1)",
            "SELECT 1 FROM pg_catalog.pg_sleep(1)",
            "SELECT mine()",
            "SELECT nextval('s')",
            "SELECT set_config('a.b', 'c', false)",
            "SELECT pg_advisory_lock(1)",
            "SELECT 1 INTO t",
            "SELECT * FROM pg_temp.t",
            "LOCK TABLE t",
            "NOTIFY c",
            "LISTEN c",
            "SET a.b = 'c'",
            "SHOW search_path",
            "BEGIN",
            "COPY t TO STDOUT",
            "PREPARE a AS SELECT 1",
            "SELECT 1\0",
            "EXPLAIN SELECT 1",
        ] {
            assert!(!may_ride(sql), "{sql}");
        }
    }

    #[test]
    fn what_is_big_does_not_ride() {
        let limits = CallLimits::of(&crate::PoolLimits::default());
        assert!(Passage::new("SELECT 1", b")\0", &limits).is_some());
        assert!(Passage::new(&"x".repeat(MOST_TEXT + 1), b")\0", &limits).is_none());
        assert!(Passage::new("SELECT 1", &[0; MOST_PARAMS + 1], &limits).is_none());
    }
}
