//! Cursors: results that are taken in parts, with other statements in between (PostgreSQL documentation, DECLARE and
//! FETCH). They live in a transaction.

use std::{pin::pin, sync::Arc};

use futures::TryStreamExt;
use postgres_types::Type;
use tokio_postgres::SimpleQueryMessage;

use super::{Session, Working, work::param_error};
use crate::{PgError, PgErrorKind, ident::quoted, params::Params, rows::Block, statement::Prepared};

/// A part of a cursor's rows.
pub(crate) struct Fetched {
    /// A packed list of rows; empty, without even a list, if there is none.
    pub(crate) block: Block,
    pub(crate) rows: u32,
}

/// Parameters of a statement that has none.
const NONE: [(&str, Type); 0] = [];

impl Session {
    /// Opens a cursor named `name` on a query.
    pub(crate) async fn declare(
        &mut self,
        name: &str,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<Arc<Prepared>, PgError> {
        let working = Working::begin(self).await;
        let result = working.session.open_cursor(name, sql, params).await;
        working.end(result)
    }

    async fn open_cursor(
        &mut self,
        name: &str,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<Arc<Prepared>, PgError> {
        // As a statement of its own first: its columns are told then, and its errors are those of its own text. Anew,
        // since nothing says whether the columns of one that is kept are still those of the cursor.
        let prepared = self.prepare(sql).await?;
        let types = prepared.statement.params().iter().cloned();
        let bound = prepared.params.bind(params)?.zip(types);
        self.trace = self.trace.max(prepared.trace);
        let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR\n{}", prepared.text(sql));
        let declared = self.client.query_typed_raw(&declare, bound).await.map_err(param_error)?;
        pin!(declared).try_next().await?;
        Ok(prepared)
    }

    /// Takes up to `count` rows of at most `limit` bytes together. When there are fewer, the cursor is closed.
    pub(crate) async fn fetch(
        &mut self,
        name: &str,
        prepared: &Prepared,
        count: u32,
        limit: usize,
    ) -> Result<Fetched, PgError> {
        let working = Working::begin(self).await;
        let result = working.session.take_rows(name, prepared, count, limit).await;
        working.end(result)
    }

    async fn take_rows(
        &mut self,
        name: &str,
        prepared: &Prepared,
        count: u32,
        limit: usize,
    ) -> Result<Fetched, PgError> {
        let sql = format!("FETCH FORWARD {count} FROM {name}");
        let mut taken = pin!(self.client.query_typed_raw(&sql, NONE).await?);
        let mut fetched = Fetched { block: Block::new(), rows: 0 };
        while let Some(row) = taken.try_next().await? {
            let left = limit.saturating_sub(fetched.block.len());
            prepared.columns.push(&row, &mut fetched.block, left).map_err(|error| whole(error, limit))?;
            fetched.rows += 1;
        }
        if fetched.rows < count {
            self.client.batch_execute(&format!("CLOSE {name}")).await?;
        }
        Ok(fetched)
    }

    /// Closes those of these cursors that are still there: a rollback to a savepoint takes cursors with it, and to
    /// close one that is gone is an error.
    pub(crate) async fn close_cursors(&mut self, names: &[String]) -> Result<(), PgError> {
        let working = Working::begin(self).await;
        let result = async {
            let client = &working.session.client;
            let open = client.simple_query("SELECT name FROM pg_catalog.pg_cursors").await?;
            let mut close = String::new();
            for row in &open {
                let SimpleQueryMessage::Row(row) = row else { continue };
                let name = row.try_get(0)?.and_then(quoted).filter(|name| names.contains(name));
                close.extend(name.map(|name| format!("CLOSE {name};")));
            }
            client.batch_execute(&close).await
        };
        let result = result.await.map_err(PgError::from);
        working.end(result)
    }
}

/// The limit is that of the part, not what was left of it.
fn whole(error: PgError, limit: usize) -> PgError {
    if error.kind == PgErrorKind::TooLarge { PgError::too_large(limit) } else { error }
}
