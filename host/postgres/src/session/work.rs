//! Work on a session: statements and commands, and what happens when one is given up.

use std::{ops::DerefMut, sync::Arc};

use futures::{TryStreamExt, future::join_all};
use postgres_types::{Kind, Type};
use tokio_postgres::{Column, RowStream, Statement};

use super::{Incoming, Session, Status};
use crate::{
    PgError, PgErrorKind, foreign,
    judge::{Trace, is_query, is_read, judge},
    params::{ParamError, Params},
    rows::{self, Block, Packer},
    statement::Prepared,
};

/// Work under way, on a session or on the lease of one. Dropped before its end (the caller's future was dropped, or
/// the result is not wanted any more), it cancels what runs on the server.
pub(crate) struct Working<S: DerefMut<Target = Session>> {
    pub(super) session: S,
}

impl<S: DerefMut<Target = Session>> Working<S> {
    /// Begins, once an earlier cancel has been delivered: it could hit the wrong statement.
    pub(crate) async fn begin(mut session: S) -> Self {
        if let Some(cancel) = &mut session.cancel {
            // The task logs its own failure; it ends at its own deadline.
            let _ = cancel.await;
            session.cancel = None;
        }
        session.working = true;
        session.inbox.begin();
        Self { session }
    }

    /// Goes on with work that was [left running](Self::leave) on the session.
    pub(crate) fn resume(session: S) -> Self {
        Self { session }
    }

    /// Ends with the driver's last word in: nothing of it runs any more, except after `too-large`.
    pub(crate) fn end<T>(mut self, result: Result<T, PgError>) -> Result<T, PgError> {
        let oversized = self.session.seen.oversized();
        match &result {
            Ok(_) => self.session.working = false,
            Err(error) => {
                self.session.unsure |= error.kind != PgErrorKind::Usage;
                self.session.working = error.kind == PgErrorKind::TooLarge;
            }
        }
        if let Err(error) = &result {
            self.session.learn(error);
        }
        if result.is_err() && oversized {
            return Err(PgError::too_large(self.session.max_result_bytes));
        }
        result
    }
}

/// What a statement gave at once.
pub(crate) enum Fetch {
    /// All of it.
    Whole(Block),
    /// Its first rows, and what is left of it.
    First(Block, Incoming),
}

impl Working<&mut Session> {
    /// Leaves what began well running: whoever holds the session's lease must [resume](Self::resume) it at once.
    pub(super) fn leave<T>(self, begun: Result<T, PgError>) -> Result<T, PgError> {
        if begun.is_err() {
            return self.end(begun);
        }
        std::mem::forget(self);
        begun
    }
}

impl<S: DerefMut<Target = Session>> Drop for Working<S> {
    fn drop(&mut self) {
        let session = &mut *self.session;
        session.inbox.end();
        if session.working {
            session.working = false;
            session.unsure = true;
            if !session.is_closed() {
                session.send_cancel();
            }
        }
    }
}

impl Session {
    /// Runs a command of the host's own; several in one text are one transaction.
    pub(crate) async fn command(&mut self, sql: &str) -> Result<(), PgError> {
        let working = Working::begin(self).await;
        let result = working.session.client.batch_execute(sql).await;
        working.end(result.map_err(PgError::from))
    }

    /// Runs a statement to its end and packs its result.
    pub(crate) async fn query(&mut self, sql: &str, params: &Params<'_>) -> Result<Block, PgError> {
        match self.query_first(sql, params, usize::MAX).await? {
            Fetch::Whole(block) | Fetch::First(block, _) => Ok(block),
        }
    }

    /// Runs a statement and packs its result; when that has more than `most` bytes, only its first rows. What is left
    /// then is left running.
    pub(crate) async fn query_first(
        &mut self,
        sql: &str,
        params: &Params<'_>,
        most: usize,
    ) -> Result<Fetch, PgError> {
        let working = Working::begin(self).await;
        let mut result = working.session.attempt(sql, params, most).await;
        if let Err(error) = &result
            && error.is_altered()
            && judge(sql).is_ok_and(|trace| is_read(sql, trace))
        {
            working.session.learn(error);
            result = working.session.attempt(sql, params, most).await;
        }
        match result {
            Ok(Fetch::First(..)) => working.leave(result),
            _ => working.end(result),
        }
    }

    /// Draws the conclusions from an error that says that what the session knows of the database is out of date. True: the
    /// same call, if nothing of it is done, may be tried again.
    pub(super) fn learn(&mut self, error: &PgError) -> bool {
        if error.is_altered() {
            // Types are looked up anew, and for that their statements prepared anew.
            self.statements.clear();
            self.client.clear_type_cache();
        }
        let outdated = error.is_altered() || error.is_stale();
        if outdated {
            self.schema.changed();
        }
        outdated
    }

    async fn attempt(&mut self, sql: &str, params: &Params<'_>, most: usize) -> Result<Fetch, PgError> {
        let (prepared, rows) = self.open(sql, params).await?;
        self.collect(sql, prepared, rows, most).await
    }

    /// Packs the rows of a statement.
    pub(super) async fn collect(
        &mut self,
        sql: &str,
        prepared: Arc<Prepared>,
        rows: RowStream,
        mut most: usize,
    ) -> Result<Fetch, PgError> {
        let mut rows = Box::pin(rows);
        let mut packer = Packer::new(&prepared.columns, self.max_result_bytes);
        while let Some(row) = rows.try_next().await? {
            if packer.len() > most {
                if prepared.trace != Trace::None || !is_query(sql) {
                    // What changes something is not left half-way: given up there, it would be undone.
                    most = usize::MAX;
                    packer.row(&row)?;
                    continue;
                }
                let block = packer.finish(0);
                return Ok(Fetch::First(block, Incoming { prepared, first: Some(row), rows, commit: None }));
            }
            packer.row(&row)?;
        }
        self.ran(&prepared);
        Ok(Fetch::Whole(packer.finish(rows.rows_affected().unwrap_or(0))))
    }

    /// Starts a statement: once, and a second time when the kept one proves to be of no use, which is found before
    /// anything of it runs. Within a transaction the server's failure has aborted it, so there the second is left to
    /// the caller.
    pub(super) async fn open(
        &mut self,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<(Arc<Prepared>, RowStream), PgError> {
        let before = self.seen.status();
        if let Some(kept) = self.kept(sql) {
            let error = match self.run(&kept, params).await {
                Err(error) if error.is_stale() || error.blames_parameters() => error,
                rows => return rows.map(|rows| (kept, rows)),
            };
            self.learn(&error);
            self.statements.forget(sql);
            let goes_on = before == Status::Idle || error.is_misfit();
            if !(goes_on && (error.is_stale() || self.takes_others_now(sql, &kept).await)) {
                return Err(error);
            }
        }
        let prepared = self.prepared(sql).await?;
        let rows = self.run(&prepared, params).await?;
        Ok((prepared, rows))
    }

    /// Prepares a statement anew. Whether its parameters have other types than they had.
    pub(super) async fn takes_others_now(&mut self, sql: &str, kept: &Prepared) -> bool {
        let now = self.prepare(sql).await;
        now.is_ok_and(|now| now.statement.params() != kept.statement.params())
    }

    /// A statement that is kept, or prepared now.
    pub(super) async fn prepared(&mut self, sql: &str) -> Result<Arc<Prepared>, PgError> {
        match self.kept(sql) {
            Some(kept) => Ok(kept),
            None => self.prepare(sql).await,
        }
    }

    /// A statement that is kept, and fit to be used where the session stands.
    pub(super) fn kept(&mut self, sql: &str) -> Option<Arc<Prepared>> {
        let is_fit = |kept: &Arc<Prepared>| {
            kept.version == self.schema.version() || self.seen.status() == Status::Idle
        };
        self.statements.get(sql).filter(is_fit)
    }

    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Arc<Prepared>, PgError> {
        let mut prepared = self.prepare_all(&[(sql, judge(sql)?)]).await;
        prepared.pop().unwrap_or_else(|| Err(types_beyond_reason()))
    }

    /// Prepares statements that were judged, all at once. The results are in their order.
    pub(super) async fn prepare_all(
        &mut self,
        judged: &[(&str, Trace)],
    ) -> Vec<Result<Arc<Prepared>, PgError>> {
        // Given up half-way, the server has a statement that nobody knows.
        let before = std::mem::replace(&mut self.trace, Trace::Spoilt);
        if self.statements.take_let_go() > MAX_CLOSES {
            // Their answers come before this one's. An error is the connection's: what follows meets it too.
            let _ = self.client.batch_execute("").await;
        }
        self.seen.allow(Some(MAX_LOOKUPS.saturating_add(2 * judged.len() as u32)));
        let prepared = join_all(judged.iter().map(|(sql, trace)| self.look_up(sql, *trace))).await;
        if self.seen.overran() {
            return judged.iter().map(|_| Err(types_beyond_reason())).collect();
        }
        self.seen.allow(None);
        self.trace = before;
        for ((sql, _), prepared) in judged.iter().zip(&prepared) {
            if let Ok(prepared) = prepared {
                self.statements.keep(sql, prepared);
            }
        }
        prepared
    }

    async fn look_up(&self, sql: &str, trace: Trace) -> Result<Arc<Prepared>, PgError> {
        let version = self.schema.version();
        let statement = self.client.prepare(sql).await?;
        if deepest(&statement) > MAX_NESTING {
            // The driver keeps the types: they go with the session, at once.
            self.driver.abort();
            return Err(types_beyond_reason());
        }
        self.readable(sql, Prepared::new(sql, statement, trace, version)).await.map(Arc::new)
    }

    /// Prepares a statement again as one whose columns are all readable, if they are not.
    async fn readable(&self, sql: &str, prepared: Prepared) -> Result<Prepared, PgError> {
        let statement = &prepared.statement;
        let Some(casts) = rows::casts(statement.columns()) else { return Ok(prepared) };
        let unreadable = || unreadable(statement.columns(), &casts);
        let text = foreign::as_text(sql, statement.columns(), &casts).ok_or_else(unreadable)?;
        match self.client.prepare_typed(&text.sql, statement.params()).await {
            Ok(statement) => Ok(prepared.run_as(statement, text)),
            // The server was asked: where the session stands is its to say.
            Err(error) if error.as_db_error().is_some() => {
                Err(PgError::database("0A000", unreadable().message))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn run(
        &mut self,
        prepared: &Prepared,
        params: &Params<'_>,
    ) -> Result<RowStream, PgError> {
        let bound = prepared.params.bind(params)?;
        self.trace = self.trace.max(prepared.trace);
        let rows = self.client.query_raw(&prepared.statement, bound).await;
        rows.map_err(|error| param_error(error).without(prepared.inserted()))
    }

    /// Notes that a statement has run to its end.
    pub(super) fn ran(&mut self, prepared: &Prepared) {
        if prepared.trace == Trace::Spoilt {
            self.statements.clear();
        }
        if prepared.alters {
            self.schema.changed();
        }
    }
}

fn unreadable(columns: &[Column], casts: &[&str]) -> PgError {
    let column = columns.iter().zip(casts).find(|(_, cast)| !cast.is_empty());
    let (name, ty) = column.map_or(("", ""), |(column, _)| (column.name(), column.type_().name()));
    PgError::usage_hint(
        format!("column `{name}` is of the type `{ty}`, which can only be read as text"),
        "cast the column in the statement, as in `price::text`",
    )
}

/// Requests that the driver may make to prepare one statement: it looks up types that it does not know by recursion,
/// one or two requests each, on a stack that is not without end.
const MAX_LOOKUPS: u32 = 256;
/// Statements whose closing may be answered meanwhile, as requests that count.
const MAX_CLOSES: usize = 32;
/// How deep a type may be made of others. What was looked up is kept for the next look-up, so that alone the bound above
/// would be none.
const MAX_NESTING: usize = 32;

fn types_beyond_reason() -> PgError {
    PgError::usage("the statement's types are too many or too deeply nested")
}

fn deepest(statement: &Statement) -> usize {
    let columns = statement.columns().iter().map(Column::type_);
    statement.params().iter().chain(columns).map(depth).max().unwrap_or(0)
}

/// Bounded itself by what [`MAX_LOOKUPS`] and this let pass before.
fn depth(ty: &Type) -> usize {
    1 + match ty.kind() {
        Kind::Composite(fields) => fields.iter().map(|field| depth(field.type_())).max().unwrap_or(0),
        Kind::Array(inner) | Kind::Domain(inner) | Kind::Range(inner) | Kind::Multirange(inner) => {
            depth(inner)
        }
        _ => 0,
    }
}

/// The driver wraps our own error when a parameter did not fit; nothing was sent then.
pub(super) fn param_error(error: tokio_postgres::Error) -> PgError {
    let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<ParamError>());
    match source {
        Some(misfit) => misfit.into(),
        None => error.into(),
    }
}
