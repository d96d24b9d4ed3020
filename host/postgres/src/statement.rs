//! Prepared statements, kept per session.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use tokio_postgres::Statement;

use crate::{foreign::Inserted, judge::Trace, params::ParamTypes, rows::Columns, schema};

/// A statement that the session's server knows, with all that can be worked out beforehand.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Dropping the last of it closes it on the server.
    pub(crate) statement: Statement,
    pub(crate) params: ParamTypes,
    pub(crate) columns: Columns,
    pub(crate) trace: Trace,
    /// Whether it changes definitions.
    pub(crate) alters: bool,
    /// The number of the schema that it was prepared on.
    pub(crate) version: u64,
    /// What the statement has more than the guest's.
    pub(crate) inserted: Inserted,
}

impl Prepared {
    /// `version` is from before it was prepared.
    pub(crate) fn new(sql: &str, statement: Statement, trace: Trace, version: u64) -> Self {
        let params = ParamTypes::new(statement.params());
        let columns = Columns::new(statement.columns());
        let (alters, inserted) = (schema::alters(sql), Inserted::default());
        Self { statement, params, columns, trace, alters, version, inserted }
    }

    /// The same statement, with some of its columns as text.
    pub(crate) fn run_as(self, statement: Statement, inserted: Inserted) -> Self {
        Self { statement, inserted, ..self }
    }
}

/// Longer texts are prepared anew at each use: they are seldom the same twice, and would fill memory.
const MAX_KEPT_TEXT: usize = 16 << 10;

/// The statements of one session by their text, the least recently used first to go.
#[derive(Debug)]
pub(crate) struct Statements(LruCache<Box<str>, Arc<Prepared>>);

impl Statements {
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        // Not `new`, which takes the memory for all of them at once.
        let mut cache = LruCache::unbounded();
        cache.resize(most);
        Self(cache)
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Arc<Prepared>> {
        self.0.get(sql).map(Arc::clone)
    }

    pub(crate) fn keep(&mut self, sql: &str, prepared: &Arc<Prepared>) {
        if sql.len() <= MAX_KEPT_TEXT {
            self.0.push(sql.into(), Arc::clone(prepared));
        }
    }

    pub(crate) fn forget(&mut self, sql: &str) {
        self.0.pop(sql);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
