//! Which kept statements may be stale.
//!
//! A statement that was prepared before a table changed fails at its next use: "cached plan must not change result type".
//! Outside of a transaction it is then prepared anew, unseen. Within one the failure has aborted the transaction. So
//! all sessions of a pool share a number, raised when one of them changes definitions or meets what has changed, and
//! within a transaction a statement of an older number is prepared anew before its use.
//!
//! Changes made elsewhere (a migration) are met once: by an autocommit statement, by the first statement of a
//! transaction or by one that is replayed, all of which run again unseen; or else by a transaction, as a failure that
//! may be retried.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::lexer::{Token, is_word, tokens};

/// The number of a database's definitions, as far as one pool has seen them change.
#[derive(Debug, Default)]
pub(crate) struct Schema(AtomicU64);

impl Schema {
    pub(crate) fn version(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn changed(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Whether a statement changes definitions that others may have been prepared on: ALTER, DROP, CREATE OR REPLACE. What is
/// new has not been used yet.
pub(crate) fn alters(sql: &str) -> bool {
    let mut words = tokens(sql).filter(|token| matches!(token, Token::Word(_)));
    let mut next_is = |wanted: &[&str]| {
        let next = words.next();
        next.is_some_and(|token| wanted.iter().any(|word| is_word(token, word)))
    };
    next_is(&["alter", "drop"])
        || (tokens(sql).next().is_some_and(|t| is_word(t, "create")) && next_is(&["or"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_definitions_is_told_by_its_words() {
        for sql in ["ALTER TABLE t ADD x int", "/* x */ drop table t", "create or replace view v as select 1"]
        {
            assert!(alters(sql), "{sql}");
        }
        for sql in
            ["CREATE TABLE t (or_replace int)", "select 'alter'", "\"alter\" x", "", "update t set drop = 1"]
        {
            assert!(!alters(sql), "{sql}");
        }
    }
}
