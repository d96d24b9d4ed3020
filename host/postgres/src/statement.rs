//! Prepared statements, kept per session.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
};

use lru::LruCache;
use tokio_postgres::Statement;

use crate::{
    document::Plan,
    foreign::{AsText, Inserted},
    judge::Trace,
    params::ParamTypes,
    ride::may_ride,
    rows::Columns,
    schema,
};

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
    /// Whether it may share a session.
    pub(crate) rides: bool,
    /// The number of the schema that it was prepared on.
    pub(crate) version: u64,
    /// What is run in the place of the guest's statement, if that is not what is run.
    as_text: Option<AsText>,
    /// How the host writes its rows as a document, if it can.
    plan: OnceLock<Option<Arc<Plan>>>,
}

impl Prepared {
    /// `version` is from before it was prepared.
    pub(crate) fn new(sql: &str, statement: Statement, trace: Trace, version: u64) -> Self {
        let params = ParamTypes::new(statement.params());
        let columns = Columns::new(statement.columns());
        let (alters, rides) = (schema::alters(sql), may_ride(sql));
        Self {
            statement,
            params,
            columns,
            trace,
            alters,
            rides,
            version,
            as_text: None,
            plan: OnceLock::new(),
        }
    }

    /// The same statement, with some of its columns as text.
    pub(crate) fn run_as(self, statement: Statement, as_text: AsText) -> Self {
        Self { statement, as_text: Some(as_text), ..self }
    }

    /// The text that gives the columns as they are described, of a statement with the text `sql`.
    pub(crate) fn text<'a>(&'a self, sql: &'a str) -> &'a str {
        self.as_text.as_ref().map_or(sql, |text| &text.sql)
    }

    /// How the host writes its rows as a document. None: their values are the server's to write, or something that the
    /// statement calls may change how it writes them.
    pub(crate) fn plan(&self) -> Option<&Arc<Plan>> {
        if self.as_text.is_some() || self.trace != Trace::None {
            return None;
        }
        self.plan.get_or_init(|| Plan::of(self.statement.columns()).map(Arc::new)).as_ref()
    }

    /// What that text has more than the guest's.
    pub(crate) fn inserted(&self) -> Inserted {
        self.as_text.as_ref().map_or_else(Inserted::default, |text| text.inserted)
    }
}

/// Longer texts are prepared anew at each use: they are seldom the same twice, and would fill memory.
const MAX_KEPT_TEXT: usize = 16 << 10;

/// The statements of one session by their text, the least recently used first to go.
#[derive(Debug)]
pub(crate) struct Statements {
    kept: LruCache<Box<str>, Arc<Prepared>>,
    let_go: usize,
}

impl Statements {
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        // Not `new`, which takes the memory for all of them at once.
        let mut cache = LruCache::unbounded();
        cache.resize(most);
        Self { kept: cache, let_go: 0 }
    }

    /// How many were let go since this was asked last. The server answers the closing of each of them as a request.
    pub(crate) fn take_let_go(&mut self) -> usize {
        std::mem::take(&mut self.let_go)
    }

    pub(crate) fn get(&mut self, sql: &str) -> Option<Arc<Prepared>> {
        self.kept.get(sql).map(Arc::clone)
    }

    pub(crate) fn keep(&mut self, sql: &str, prepared: &Arc<Prepared>) {
        if sql.len() <= MAX_KEPT_TEXT {
            let gone = self.kept.push(sql.into(), Arc::clone(prepared));
            self.let_go += usize::from(gone.is_some());
        }
    }

    pub(crate) fn forget(&mut self, sql: &str) {
        self.let_go += usize::from(self.kept.pop(sql).is_some());
    }

    pub(crate) fn clear(&mut self) {
        self.let_go += self.kept.len();
        self.kept.clear();
    }
}
