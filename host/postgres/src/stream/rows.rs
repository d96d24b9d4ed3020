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
    session::{Flow, Incoming},
    statement::Prepared,
};

pub(crate) struct Rows {
    prepared: Arc<Prepared>,
    first: Option<Row>,
    rows: Pin<Box<RowStream>>,
    flow: Flow,
}

impl Rows {
    pub(crate) fn new(incoming: Incoming, mut flow: Flow) -> Self {
        let Incoming { prepared, first, rows } = incoming;
        if first.is_none() {
            // The end is seen already: it never fails.
            let _ = flow.end_of(&prepared);
        }
        Self { prepared, first, rows, flow }
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
        Poll::Ready(match ready!(self.rows.as_mut().poll_next(cx)) {
            Some(Ok(row)) => Some(use_row(&self.prepared, &row)),
            Some(Err(error)) => Some(self.flow.end(Err(error.into()))),
            None => self.flow.end_of(&self.prepared).err().map(Err),
        })
    }
}
