//! The statement log: what a transaction was asked, and what each answer came to.
//!
//! It is kept only for a transaction that may be replayed, and within bounds: beyond them, or once something happened
//! that cannot be repeated, it is emptied and says why ([`Log::given_up`]).

use std::{mem::size_of, sync::Arc};

use super::call::{Call, Digest, Kept, Outcome};
use crate::{PgError, rows::Block};

/// The bounds of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of statements and parameters, and of what keeps them.
    pub(crate) bytes: usize,
    /// Calls.
    pub(crate) calls: usize,
}

impl LogLimits {
    /// Nothing is kept.
    pub(crate) const NONE: Self = Self { bytes: 0, calls: 0 };
}

/// A call and what its answer came to.
pub(super) struct Entry {
    pub(super) kept: Kept,
    pub(super) answer: Digest,
}

pub(crate) struct Log {
    entries: Vec<Entry>,
    bytes: usize,
    limits: LogLimits,
    /// A call was begun and its answer not noted.
    pending: bool,
    given_up: Option<&'static str>,
}

pub(super) const TOO_LARGE: &str = "the transaction is too large to be replayed";
const DROPPED: &str = "one of its calls was given up half-way";
const UNCERTAIN: &str = "one of its calls timed out, was cancelled or had too large a result";

impl Log {
    pub(super) const fn new(limits: LogLimits) -> Self {
        Self { entries: Vec::new(), bytes: 0, limits, pending: false, given_up: None }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Why the transaction cannot be replayed, if it cannot.
    pub(super) const fn given_up(&self) -> Option<&'static str> {
        self.given_up
    }

    /// Marks that the transaction cannot be replayed, and why: words that go on "not replayed: ".
    pub(crate) fn give_up(&mut self, reason: &'static str) {
        self.given_up.get_or_insert(reason);
        self.entries = Vec::new();
        self.bytes = 0;
    }

    /// Before a call: should its future be dropped, what it did is not known.
    pub(super) fn expect(&mut self) {
        if std::mem::replace(&mut self.pending, true) {
            self.give_up(DROPPED);
        }
    }

    /// After a call.
    pub(super) fn note(&mut self, call: Call<'_>, answer: &Result<Block, PgError>) {
        self.pending = false;
        if self.given_up.is_some() {
            return;
        }
        if self.limits.calls == 0 && answer.is_ok() {
            return self.give_up(TOO_LARGE);
        }
        match Outcome::of(answer) {
            Outcome::Answered(answer) => self.keep(call, answer),
            Outcome::Unsent => {}
            Outcome::Uncertain => self.give_up(UNCERTAIN),
        }
    }

    fn keep(&mut self, call: Call<'_>, answer: Digest) {
        let (kept, size) = match call {
            Call::Query { sql, params } => match self.entries.last() {
                Some(Entry { kept: Kept::Query { sql: last, .. }, .. }) if **last == *sql => {
                    (Kept::Query { sql: Arc::clone(last), params: params.into() }, params.len())
                }
                _ => (Kept::Query { sql: sql.into(), params: params.into() }, sql.len() + params.len()),
            },
            Call::Batch(block) => (Kept::Batch(block.into()), block.len()),
            Call::Command(sql) => (Kept::Command(sql.into()), sql.len()),
            Call::Commit => return,
        };
        self.bytes += size + size_of::<Entry>();
        if self.bytes > self.limits.bytes || self.entries.len() >= self.limits.calls {
            return self.give_up(TOO_LARGE);
        }
        self.entries.push(Entry { kept, answer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: usize, calls: usize) -> Log {
        Log::new(LogLimits { bytes, calls })
    }

    fn ask(log: &mut Log, sql: &str, answer: Result<Block, PgError>) {
        log.expect();
        log.note(Call::Query { sql, params: b")\0" }, &answer);
    }

    fn answered() -> Result<Block, PgError> {
        Ok(Vec::new())
    }

    fn unsent() -> Result<Block, PgError> {
        Err(PgError::usage("x"))
    }

    #[test]
    fn equal_texts_in_a_row_are_kept_once() {
        let text = "x".repeat(100);
        let mut log = log(100 + 10 * (size_of::<Entry>() + 2), 100);
        (0..10).for_each(|_| ask(&mut log, &text, answered()));
        assert_eq!((log.entries().len(), log.given_up()), (10, None));
        ask(&mut log, &text, answered());
        assert_eq!((log.entries().len(), log.given_up()), (0, Some(TOO_LARGE)));
    }

    #[test]
    fn its_calls_are_bounded_and_what_was_not_sent_is_no_call() {
        let mut log = log(1 << 20, 2);
        for outcome in [answered(), unsent(), unsent(), answered()] {
            ask(&mut log, "x", outcome);
        }
        assert_eq!((log.entries().len(), log.given_up()), (2, None));
        ask(&mut log, "x", answered());
        assert_eq!(log.given_up(), Some(TOO_LARGE));
    }

    #[test]
    fn it_is_given_up_for_good_and_the_first_reason_stands() {
        let mut log = log(1 << 20, 100);
        ask(&mut log, "x", answered());
        log.expect();
        ask(&mut log, "x", answered());
        assert_eq!((log.entries().len(), log.given_up()), (0, Some(DROPPED)));
        ask(&mut log, "x", Err(PgError::connection("x")));
        ask(&mut log, "x", answered());
        assert_eq!((log.entries().len(), log.given_up()), (0, Some(DROPPED)));
    }
}
