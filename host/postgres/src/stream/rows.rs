//! The rows of one statement as they arrive.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::Stream;
use tokio_postgres::{Row, RowStream};

use crate::{
    PgError,
    session::{Commit, Flow, Incoming},
    statement::Prepared,
};

pub(crate) struct Rows {
    prepared: Arc<Prepared>,
    first: Option<Row>,
    rows: Pin<Box<RowStream>>,
    /// There are no more: what is left is its commit.
    ended: bool,
    commit: Option<Commit>,
    flow: Flow,
}

impl Rows {
    pub(crate) fn new(incoming: Incoming, mut flow: Flow) -> Self {
        let Incoming { prepared, first, rows, commit } = incoming;
        let ended = first.is_none();
        if ended && commit.is_none() {
            // The end is seen already: it never fails.
            let _ = flow.end_of(&prepared);
        }
        Self { prepared, first, rows, ended, commit, flow }
    }

    pub(crate) fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// Shows the next row to `use_row`, whose failure ends the rows and cancels the statement. None: the end.
    pub(crate) fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        use_row: impl FnOnce(&Prepared, &Row) -> Result<(), PgError>,
    ) -> Poll<Option<Result<(), PgError>>> {
        if let Some(row) = self.first.take() {
            return Poll::Ready(Some(use_row(&self.prepared, &row)));
        }
        if !self.flow.flows() {
            return Poll::Ready(None);
        }
        let next = if self.ended { None } else { ready!(self.rows.as_mut().poll_next(cx)) };
        Poll::Ready(match next {
            Some(Ok(row)) => Some(use_row(&self.prepared, &row)),
            Some(Err(error)) => Some(self.flow.end(Err(error.into()))),
            None => {
                self.ended = true;
                ready!(self.poll_end(cx)).err().map(Err)
            }
        })
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        let committed = match &mut self.commit {
            Some(commit) => ready!(commit.as_mut().poll(cx)),
            None => Ok(()),
        };
        Poll::Ready(match committed {
            Ok(()) => self.flow.end_of(&self.prepared),
            Err(error) => self.flow.end(Err(error)),
        })
    }
}
