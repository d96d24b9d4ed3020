//! Work that goes on after the call that began it: rows and COPY data that flow while a guest or a client takes or
//! gives them.
//!
//! A [`Flow`] holds its lease by value. Its end, or the failure that ended it, gives the lease back at once; dropped
//! before, it cancels what runs on the server, and the lease goes back to be mended.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::{TryStreamExt, future::BoxFuture};
use tokio_postgres::{CopyInSink, CopyOutStream, Row, RowStream};

use super::{End, Loan, Opening, Session, Working};
use crate::{
    PgError,
    judge::{Direction, Trace, is_change, is_query, is_read, judge_copy},
    params::Params,
    statement::Prepared,
};

/// A lease at work.
pub(crate) struct Flow {
    /// None: its end was seen.
    working: Option<Working<Loan>>,
    /// The server's errors so far, when it began.
    errors: u64,
}

impl Flow {
    /// Takes over what a call on this loan left running.
    pub(crate) fn of(loan: Loan) -> Self {
        let errors = loan.seen.errors();
        Self { working: Some(Working::resume(loan)), errors }
    }

    /// Whether its end has not been seen.
    pub(crate) fn flows(&self) -> bool {
        self.working.is_some()
    }

    /// Whether the server has sent an error that the driver may not have told yet.
    pub(crate) fn failed(&self) -> bool {
        self.working.as_ref().is_some_and(|working| working.session.seen.errors() > self.errors)
    }

    /// Ends it with the driver's last word; the lease goes back.
    pub(crate) fn end<T>(&mut self, result: Result<T, PgError>) -> Result<T, PgError> {
        match self.working.take() {
            Some(working) => working.end(result),
            None => result,
        }
    }

    /// Ends it once a statement's last row is in.
    pub(crate) fn end_of(&mut self, prepared: &Prepared) -> Result<(), PgError> {
        if let Some(working) = &mut self.working {
            working.session.ran(prepared);
        }
        self.end(Ok(()))
    }
}

/// Rows on their way, and the first of them.
pub(crate) struct Incoming {
    pub(crate) prepared: Arc<Prepared>,
    /// None: there is none.
    pub(crate) first: Option<Row>,
    pub(crate) rows: Pin<Box<RowStream>>,
    /// What is to be done behind the last.
    pub(crate) commit: Option<Commit>,
}

/// A COMMIT that is sent when it is first polled.
pub(crate) type Commit = BoxFuture<'static, Result<(), PgError>>;

/// The transaction of a statement that writes and gives rows.
const LATE: Opening<'static> = Opening { sql: "BEGIN", end: End::Late };

/// Whether a statement of those that can be within a transaction may write, and gives rows.
fn may_write_rows(sql: &str, prepared: &Prepared) -> bool {
    !prepared.columns.is_empty() && !is_read(sql, prepared.trace) && (is_query(sql) || is_change(sql))
}

impl Session {
    /// Begins the transaction that a COPY needs, if it needs one.
    pub(crate) async fn begin_flow(&mut self, opening: Option<&str>) -> Result<(), PgError> {
        match opening {
            Some(opening) => self.command(opening).await,
            None => Ok(()),
        }
    }

    /// Starts a statement and waits for its first row. It is left running.
    ///
    /// What may write and gives rows is committed behind the last of them: who stops before has nothing done.
    pub(crate) async fn start_rows(
        &mut self,
        opening: Option<Opening<'_>>,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<Incoming, PgError> {
        let working = Working::begin(self).await;
        let begun = async {
            let session = &mut *working.session;
            let opening = match opening {
                None if may_write_rows(sql, &*session.prepared(sql).await?) => Some(LATE),
                opening => opening,
            };
            let (prepared, rows) = match opening {
                None => session.open(sql, params).await?,
                Some(opening) => session.open_within(opening, sql, params).await?,
            };
            let mut rows = Box::pin(rows);
            let first = rows.try_next().await?;
            let commit = opening.is_some_and(|opening| opening.end == End::Late).then(|| session.commit());
            Ok(Incoming { prepared, first, rows, commit })
        };
        let begun = begun.await;
        working.leave(begun)
    }

    fn commit(&self) -> Commit {
        let client = Arc::clone(&self.client);
        Box::pin(async move {
            let committed = client.batch_execute("COMMIT").await.map_err(PgError::from);
            committed.map_err(PgError::outcome_unknown)
        })
    }

    /// A statement as it is prepared. Nothing of it runs.
    pub(crate) async fn prepared_statement(&mut self, sql: &str) -> Result<Arc<Prepared>, PgError> {
        let working = Working::begin(self).await;
        let prepared = working.session.prepared(sql).await;
        working.end(prepared)
    }

    /// The names of a statement's columns. Nothing of it runs, so nothing says whether those of one that is kept are still
    /// right: it is prepared anew.
    pub(crate) async fn column_names(&mut self, sql: &str) -> Result<Vec<String>, PgError> {
        let working = Working::begin(self).await;
        let prepared = working.session.prepare(sql).await;
        let names =
            |columns: &[tokio_postgres::Column]| columns.iter().map(|c| c.name().to_owned()).collect();
        working.end(prepared.map(|prepared| names(prepared.statement.columns())))
    }

    /// Starts a COPY to the server and waits until the server wants its data. It is left running.
    pub(crate) async fn start_copy_in(&mut self, sql: &str) -> Result<Pin<Box<CopyInSink<Bytes>>>, PgError> {
        let trace = judge_copy(sql, Direction::In)?;
        let working = Working::begin(self).await;
        let begun = async {
            let statement = working.session.prepare_copy(sql, trace).await?;
            working.session.seen.expect_copy();
            Ok(Box::pin(working.session.client.copy_in(&statement).await?))
        };
        let begun = begun.await;
        working.leave(begun)
    }

    /// Starts a COPY from the server. It is left running.
    pub(crate) async fn start_copy_out(&mut self, sql: &str) -> Result<Pin<Box<CopyOutStream>>, PgError> {
        let trace = judge_copy(sql, Direction::Out)?;
        let working = Working::begin(self).await;
        let begun = async {
            let statement = working.session.prepare_copy(sql, trace).await?;
            Ok(Box::pin(working.session.client.copy_out(&statement).await?))
        };
        let begun = begun.await;
        working.leave(begun)
    }

    /// Not kept: a COPY's text is seldom needed twice on one session, and needs no types looked up.
    async fn prepare_copy(&mut self, sql: &str, trace: Trace) -> Result<tokio_postgres::Statement, PgError> {
        // Given up half-way, the server has a statement that nobody knows.
        let before = std::mem::replace(&mut self.trace, Trace::Spoilt);
        let statement = self.client.prepare(sql).await;
        self.trace = before.max(trace);
        Ok(statement?)
    }
}
