//! A statement within a transaction of its own, in one round trip.
//!
//! What begins the transaction, the statement and its COMMIT are sent ahead of their answers. COMMIT is so only where it
//! must not depend on the answers: if something is changed and rows come, these may turn out to be too many.
//! Behind a statement that failed, COMMIT rolls back.

use std::{pin::pin, sync::Arc};

use futures::{
    TryStreamExt,
    future::{join, maybe_done},
    poll,
};
use tokio_postgres::{RowStream, SimpleQueryStream};

use super::{Fetch, Session, Working};
use crate::{PgError, PgErrorKind, judge::is_read, params::Params, statement::Prepared};

/// What begins a transaction, and how that ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) sql: &'a str,
    pub(crate) end: End,
}

/// When COMMIT is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At once: nothing can be written.
    Reads,
    /// Before the answers, if it can be.
    WhenSafe,
    /// By who takes the rows, behind the last of them.
    Late,
}

impl Opening<'_> {
    fn reads(&self) -> bool {
        self.end == End::Reads
    }
}

/// A statement on its way.
struct Begun {
    prepared: Arc<Prepared>,
    rows: RowStream,
    /// None: COMMIT has yet to be sent.
    ended: Option<SimpleQueryStream>,
}

impl Session {
    /// As [`query_first`](Self::query_first), within a transaction of its own. Rows that are left are those of a statement
    /// that changes nothing.
    pub(crate) async fn query_within(
        &mut self,
        opening: Opening<'_>,
        sql: &str,
        params: &Params<'_>,
        most: usize,
    ) -> Result<Fetch, PgError> {
        let working = Working::begin(self).await;
        let session = &mut *working.session;
        let mut result = session.attempt_within(opening, sql, params, most).await;
        if session.must_repeat(sql, result.as_ref().err()).await {
            result = session.attempt_within(opening, sql, params, most).await;
        }
        match result {
            Ok(Fetch::First(..)) => working.leave(result),
            _ => working.end(result),
        }
    }

    /// Starts a statement as [`open`](Self::open) does.
    pub(super) async fn open_within(
        &mut self,
        opening: Opening<'_>,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<(Arc<Prepared>, RowStream), PgError> {
        let mut begun = self.begin_within(opening, sql, params).await;
        if self.must_repeat(sql, begun.as_ref().err()).await {
            begun = self.begin_within(opening, sql, params).await;
        }
        begun.map(|begun| (begun.prepared, begun.rows))
    }

    /// Whether an attempt failed because of what the session knew of the statement, which it knows no more then. Nothing
    /// of the attempt is done.
    async fn must_repeat(&mut self, sql: &str, error: Option<&PgError>) -> bool {
        let Some(error) = error else { return false };
        let outdated = self.learn(error);
        if !outdated && !error.blames_parameters() {
            return false;
        }
        let kept = self.statements.get(sql);
        self.statements.forget(sql);
        match kept {
            Some(kept) if !outdated => self.takes_others_now(sql, &kept).await,
            _ => outdated,
        }
    }

    async fn attempt_within(
        &mut self,
        opening: Opening<'_>,
        sql: &str,
        params: &Params<'_>,
        most: usize,
    ) -> Result<Fetch, PgError> {
        let Begun { prepared, rows, ended } = self.begin_within(opening, sql, params).await?;
        let most = if opening.reads() { most } else { usize::MAX };
        let reads = opening.reads() || is_read(sql, prepared.trace);
        let fetched = self.collect(sql, prepared, rows, most).await;
        let uncertain = |error: PgError| if reads { error } else { error.outcome_unknown() };
        let broke = |error: &PgError| error.kind == PgErrorKind::Connection;
        match (fetched, ended) {
            (Ok(Fetch::Whole(block)), Some(ended)) => {
                end(ended).await.map_err(uncertain)?;
                Ok(Fetch::Whole(block))
            }
            (Ok(fetched), None) => {
                let committed = self.client.batch_execute("COMMIT").await.map_err(PgError::from);
                committed.map_err(uncertain)?;
                Ok(fetched)
            }
            // The rest of the rows comes before the end.
            (Ok(fetched), Some(_)) => Ok(fetched),
            (Err(error), Some(_)) if broke(&error) => Err(uncertain(error)),
            (Err(error), Some(_)) => Err(error),
            (Err(error), None) => self.give_up(error).await,
        }
    }

    /// Sends all that can be sent, and waits until the statement has begun to answer.
    async fn begin_within(
        &mut self,
        opening: Opening<'_>,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<Begun, PgError> {
        let prepared = self.prepared(sql).await?;
        let ahead = match opening.end {
            End::Reads => true,
            End::WhenSafe => prepared.columns.is_empty() || is_read(sql, prepared.trace),
            End::Late => false,
        };
        let last = self.last_command(opening.end);
        let opened = self.client.simple_query_raw(opening.sql).await?;
        let (rows, ended) = {
            let client = Arc::clone(&self.client);
            let mut run = pin!(maybe_done(self.run(&prepared, params)));
            // Its first poll sends it.
            let _ = poll!(&mut run);
            let ended = match ahead {
                true => Some(client.simple_query_raw(last).await?),
                false => None,
            };
            let (opened, ()) = join(end(opened), &mut run).await;
            let rows = run
                .as_mut()
                .take_output()
                .unwrap_or_else(|| Err(PgError::connection("the statement is gone")));
            (opened.and(rows), ended)
        };
        match (rows, ended) {
            (Ok(rows), ended) => Ok(Begun { prepared, rows, ended }),
            (Err(error), None) => self.give_up(error).await,
            (Err(error), Some(ended)) => {
                let reads = opening.reads() || is_read(sql, prepared.trace);
                // A server that has answered with an error has rolled back.
                if error.kind == PgErrorKind::Connection {
                    return Err(if reads { error } else { error.outcome_unknown() });
                }
                end(ended).await?;
                Err(error)
            }
        }
    }

    /// Rolls back after a failure.
    async fn give_up<T>(&mut self, error: PgError) -> Result<T, PgError> {
        // Cut off or to be cancelled, the session is mended before its next use.
        if !matches!(error.kind, PgErrorKind::Connection | PgErrorKind::TooLarge) {
            self.client.batch_execute("ROLLBACK").await?;
        }
        Err(error)
    }
}

/// Waits for the end of commands' answers.
async fn end(answers: SimpleQueryStream) -> Result<(), PgError> {
    let mut answers = pin!(answers);
    while answers.try_next().await?.is_some() {}
    Ok(())
}
