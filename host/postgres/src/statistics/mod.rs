//! What a tenant's calls did, seen from outside: for each route and each form of a statement, how long it took, what it
//! moved, and how it ended. Whatever took too long goes to the log as well.
//!
//! A call is an [`Observation`]. Its lease carries it from the moment there is a session to the moment that goes back: so
//! streams and copies count to their end, and what is given up on the way counts as failed. What moved meanwhile is
//! read off the session's wire. Of texts only the form is kept ([`fingerprint`]), and of forms only so many.

mod fingerprint;
mod histogram;
mod report;
mod statement;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use fasterapi_core::{DatabaseAlias, TenantId};
use parking_lot::RwLock;

use self::{fingerprint::fingerprint, statement::Statement};
pub use self::{histogram::Times, report::StatementReport};

/// Most forms of statements of one database that are counted apart. Those beyond count together, route by route.
const MAX_FORMS: usize = 1000;
/// Most texts whose form is remembered.
const MAX_TEXTS: usize = 4096;

/// The form under which all forms beyond [`MAX_FORMS`] count.
const OTHERS: &str = "(other statements)";

/// The statistics of one tenant's database.
pub(crate) struct Statistics {
    tenant: TenantId,
    alias: DatabaseAlias,
    slow: Duration,
    hasher: RandomState,
    books: RwLock<Books>,
}

#[derive(Default)]
struct Books {
    /// By the hash of route and text: keyed, so that nobody can aim at another's.
    by_text: HashMap<u64, Arc<Statement>>,
    by_form: HashMap<(Arc<str>, Box<str>), Arc<Statement>>,
}

/// What went over a session's wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Bytes to the server.
    pub(crate) sent: u64,
    /// Bytes from it.
    pub(crate) received: u64,
    /// Rows from it.
    pub(crate) rows: u64,
    /// Statements that it parsed.
    pub(crate) parsed: u64,
    /// Errors from it.
    pub(crate) errors: u64,
}

impl Moved {
    fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            received: self.received.saturating_sub(before.received),
            rows: self.rows.saturating_sub(before.rows),
            parsed: self.parsed.saturating_sub(before.parsed),
            errors: self.errors.saturating_sub(before.errors),
        }
    }
}

/// What is observed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    /// A statement of the guest's.
    Sql(&'a str),
    /// Several, the first of which this is.
    Batch(&'a str),
    /// A transaction, from its beginning to its end.
    Transaction,
    /// The end of one.
    Commit,
}

impl What<'_> {
    const fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Sql(sql) => ("", sql),
            Self::Batch(sql) => ("batch: ", sql),
            Self::Transaction => ("(transaction)", ""),
            Self::Commit => ("commit", ""),
        }
    }

    fn form(&self) -> String {
        let (kind, sql) = self.parts();
        format!("{kind}{}", fingerprint(sql))
    }
}

impl Statistics {
    /// None yet. What takes `slow` or longer is logged.
    pub(crate) fn new(tenant: TenantId, alias: DatabaseAlias, slow: Duration) -> Arc<Self> {
        Arc::new(Self { tenant, alias, slow, hasher: RandomState::new(), books: RwLock::default() })
    }

    /// Every form that was seen.
    pub(crate) fn report(&self) -> Vec<StatementReport> {
        let statements: Vec<_> = self.books.read().by_form.values().cloned().collect();
        statements.iter().map(|statement| statement.report()).collect()
    }

    fn statement(&self, route: &Arc<str>, what: What<'_>) -> Arc<Statement> {
        let key = self.hasher.hash_one((route, what.parts()));
        if let Some(known) = self.books.read().by_text.get(&key) {
            return Arc::clone(known);
        }
        let form = what.form();
        let mut books = self.books.write();
        let Books { by_text, by_form } = &mut *books;
        let full =
            by_form.len() >= MAX_FORMS && !by_form.contains_key(&(Arc::clone(route), form.as_str().into()));
        let form: Box<str> = if full { OTHERS.into() } else { form.into() };
        let made = || Arc::new(Statement::new(Arc::clone(route), form.clone()));
        let found = by_form.entry((Arc::clone(route), form.clone())).or_insert_with(made);
        if by_text.len() >= MAX_TEXTS {
            by_text.clear();
        }
        by_text.insert(key, Arc::clone(found));
        Arc::clone(found)
    }

    fn log(&self, statement: &Statement, took: Duration, waited: Duration, moved: Moved, failed: bool) {
        tracing::warn!(
            tenant = %self.tenant,
            database = %self.alias,
            route = &*statement.route,
            took = ?took,
            waited = ?waited,
            rows = moved.rows,
            bytes = moved.received,
            failed,
            statement = &*statement.form,
            "slow statement"
        );
    }
}

/// Who observes the calls of one route.
#[derive(Clone)]
pub(crate) struct Observer {
    statistics: Arc<Statistics>,
    route: Arc<str>,
}

impl Observer {
    /// Of calls that belong to no route.
    pub(crate) fn new(statistics: &Arc<Statistics>) -> Self {
        Self { statistics: Arc::clone(statistics), route: "*".into() }
    }

    pub(crate) fn on_route(&mut self, route: Arc<str>) {
        self.route = route;
    }

    /// A call begins, by waiting for a session.
    pub(crate) fn begin(&self, what: What<'_>) -> Observation {
        let statement = self.statistics.statement(&self.route, what);
        let statistics = Arc::clone(&self.statistics);
        let (before, moved) = (Moved::default(), Moved::default());
        Observation {
            statistics,
            statement,
            begun: Instant::now(),
            waited: None,
            before,
            moved,
            failed: true,
        }
    }
}

/// A call under way, noted when it is dropped: without an end, it failed.
pub(crate) struct Observation {
    statistics: Arc<Statistics>,
    statement: Arc<Statement>,
    begun: Instant,
    /// How long, once it has a session; on which so much had moved before.
    waited: Option<Duration>,
    before: Moved,
    moved: Moved,
    failed: bool,
}

impl Observation {
    /// It has its session.
    pub(crate) fn has_session(&mut self, before: Moved) {
        self.waited = Some(self.begun.elapsed());
        self.before = before;
    }

    /// It shared a session, for which it waited until then, and ends. What it moved was counted apart: its rows, the
    /// bytes of their values and of its parameters.
    pub(crate) fn rode(mut self, boarded: Option<Instant>, moved: Moved, failed: bool) {
        self.waited = boarded.map(|boarded| boarded.saturating_duration_since(self.begun));
        (self.moved, self.failed) = (moved, failed);
    }

    /// Its transaction begins anew.
    pub(crate) fn retried(&self) {
        self.statement.retried();
    }

    /// Its transaction was replayed: the guest saw nothing of a failure.
    pub(crate) fn replayed(&self) {
        self.statement.replayed();
    }

    /// It ends, with its session as it is now.
    pub(crate) fn end(mut self, now: Moved, failed: bool) {
        self.moved = now.since(self.before);
        self.failed = failed || self.moved.errors > 0;
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Self { moved, failed, .. } = *self;
        let took = self.begun.elapsed();
        let waited = self.waited.unwrap_or(took);
        self.statement.add(took, waited, moved, failed);
        if took >= self.statistics.slow {
            self.statistics.log(&self.statement, took, waited, moved, failed);
        }
    }
}
