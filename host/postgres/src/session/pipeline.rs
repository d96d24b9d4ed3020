//! The requests of a batch, sent ahead of their answers.
//!
//! The server stops reading while its answers are not read, so a client that sends all before it reads can wait for
//! ever. Here the connection's task reads while it writes, and the answers are taken in their order; the window bounds
//! what lies ready in memory meanwhile.

use std::{collections::VecDeque, iter::once, pin::pin, sync::Arc};

use futures::{
    TryStreamExt,
    future::{BoxFuture, FutureExt, MaybeDone, maybe_done},
    poll,
};
use tokio_postgres::{Client, RowStream};

use super::work::param_error;
use crate::{
    PgError, PgErrorKind,
    batch::Batch,
    judge::is_read,
    params::Params,
    rows::{Block, Packer},
    statement::Prepared,
};

/// Most requests sent and not answered.
const WINDOW: usize = 1024;

/// One request.
enum Request<'a> {
    Command(&'a str),
    Statement(&'a Prepared, Params<'a>),
}

type Answer = Result<Option<RowStream>, PgError>;

pub(super) struct Pipeline<'a> {
    client: &'a Client,
    batch: &'a Batch<'a>,
    statements: &'a [Arc<Prepared>],
    /// What begins and ends the batch's own transaction, if it is one.
    frame: Option<(&'a str, &'static str)>,
    requests: Box<dyn Iterator<Item = Request<'a>> + Send + 'a>,
    sent: VecDeque<MaybeDone<BoxFuture<'a, Answer>>>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(
        client: &'a Client,
        batch: &'a Batch<'a>,
        statements: &'a [Arc<Prepared>],
        frame: Option<(&'a str, &'static str)>,
    ) -> Self {
        let items = batch.items().iter().zip(statements);
        let runs =
            items.flat_map(|(item, prepared)| item.sets().map(|set| Request::Statement(prepared, set)));
        let ahead = commits_ahead(batch, statements);
        let requests: Box<dyn Iterator<Item = Request<'a>> + Send> = match frame {
            Some((opening, end)) => {
                let end = ahead.then_some(Request::Command(end));
                Box::new(once(Request::Command(opening)).chain(runs).chain(end))
            }
            None => Box::new(runs),
        };
        Self { client, batch, statements, frame, requests, sent: VecDeque::new() }
    }

    /// Runs it all; the block holds a result per item.
    ///
    /// # Errors
    /// Of the first that failed. Of a transaction of the batch's own nothing is committed then, but for `connection`.
    pub(super) async fn run(mut self, limit: usize) -> Result<Block, PgError> {
        let answers = self.answers(limit).await;
        let Some((_, end)) = self.frame else { return answers };
        let ahead = commits_ahead(self.batch, self.statements);
        match answers {
            Ok(block) if ahead => self.next().await.map_err(PgError::outcome_unknown).map(|_| block),
            Ok(block) => {
                let committed = self.client.batch_execute(end).await.map_err(PgError::from);
                committed.map_err(PgError::outcome_unknown).map(|()| block)
            }
            Err(error) if error.kind == PgErrorKind::Connection && ahead => Err(error.outcome_unknown()),
            // The session is cut off or cancelled, and mended before its next use.
            Err(error) if matches!(error.kind, PgErrorKind::Connection | PgErrorKind::TooLarge) => Err(error),
            Err(error) => {
                self.sent.clear();
                // Behind a COMMIT that was sent it does nothing: that one found the transaction failed.
                self.client.batch_execute("ROLLBACK").await?;
                Err(error)
            }
        }
    }

    async fn answers(&mut self, limit: usize) -> Result<Block, PgError> {
        if self.frame.is_some() {
            self.next().await?;
        }
        let items = self.batch.items();
        let mut block = vec![b'('];
        block.extend_from_slice(&(items.len() as u32).to_le_bytes());
        for (index, (item, prepared)) in items.iter().zip(self.statements).enumerate() {
            let mut packer = Packer::new(&prepared.columns, limit.saturating_sub(block.len()));
            let mut affected = 0_u64;
            for set in 0..item.len() {
                let answered = self.answer(&mut packer).await;
                affected += answered.map_err(|error| limited(error, limit).of_item(index, item.set(set)))?;
            }
            block.append(&mut packer.finish(affected));
            if block.len() > limit {
                return Err(PgError::too_large(limit));
            }
        }
        Ok(block)
    }

    /// Packs the rows of the next answer; the number of rows affected.
    async fn answer(&mut self, packer: &mut Packer<'_>) -> Result<u64, PgError> {
        let Some(rows) = self.next().await? else { return Ok(0) };
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            packer.row(&row)?;
        }
        Ok(rows.rows_affected().unwrap_or(0))
    }

    /// Fills the window, then waits for the start of the next answer.
    async fn next(&mut self) -> Answer {
        while self.sent.len() < WINDOW {
            let Some(request) = self.requests.next() else { break };
            let mut request = maybe_done(send(self.client, request).boxed());
            // Its first poll is what sends it: here, since the order matters.
            let _ = poll!(&mut request);
            self.sent.push_back(request);
        }
        let Some(mut answer) = self.sent.pop_front() else { return Ok(None) };
        (&mut answer).await;
        std::pin::Pin::new(&mut answer).take_output().unwrap_or(Ok(None))
    }
}

async fn send(client: &Client, request: Request<'_>) -> Answer {
    match request {
        Request::Command(sql) => client.batch_execute(sql).await.map(|()| None).map_err(PgError::from),
        Request::Statement(prepared, params) => {
            let bound = prepared.params.bind(&params)?;
            let rows = client.query_raw(&prepared.statement, bound).await;
            rows.map(Some).map_err(|error| param_error(error).without(prepared.inserted()))
        }
    }
}

/// Whether COMMIT may be sent before the answers are read. Not if something is changed and rows come that could turn out
/// too many.
fn commits_ahead(batch: &Batch<'_>, statements: &[Arc<Prepared>]) -> bool {
    let mut all = batch.items().iter().zip(statements);
    statements.iter().all(|prepared| prepared.columns.is_empty())
        || all.all(|(item, prepared)| is_read(item.sql, prepared.trace))
}

/// The limit is that of the batch, not what an item had left of it.
fn limited(error: PgError, limit: usize) -> PgError {
    match error.kind {
        PgErrorKind::TooLarge => PgError::too_large(limit),
        _ => error,
    }
}
