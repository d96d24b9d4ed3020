//! A statement's rows as a document for a client: bytes of JSON, of JSON lines, or of CSV.
//!
//! The server writes the values: each format is a statement around the guest's, so a value looks exactly as
//! PostgreSQL's own `to_json` or COPY has it, whatever its type. The host puts the rows together as they come, in
//! pieces, and never holds more than one of them.

mod csv;
mod json;
mod wrap;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;
use tokio_postgres::Row;

use crate::{
    Database, PgError,
    pool::Lease,
    stream::{Pieces, Rows, Source},
};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// An object a line.
    NdJson,
    /// RFC 4180 with a header line, as `COPY … WITH (FORMAT csv, HEADER)` writes it.
    Csv,
}

impl Database {
    /// Runs one statement (autocommit) and gives its rows as a document. Returns when the first row is there, or when
    /// there is none. Dropping the future or the document cancels the statement.
    ///
    /// # Errors
    /// As [`stream`](Self::stream); `database` too for a statement that cannot stand within another: only SELECT,
    /// VALUES, TABLE, WITH, and INSERT, UPDATE, DELETE, MERGE with RETURNING can.
    pub async fn document(&self, sql: &str, params: &[u8], format: Format) -> Result<Document, PgError> {
        let wrapped = match format {
            Format::Json | Format::NdJson => wrap::json(sql),
            Format::Csv => wrap::csv(sql, &self.columns(sql).await?),
        };
        let rows = self.rows(&wrapped.sql, params).await.map_err(|error| wrapped.explain(error))?;
        let writer: Box<dyn Writer> = match format {
            Format::Json => Box::new(json::Array::default()),
            Format::NdJson => Box::new(json::Lines),
            Format::Csv => Box::new(csv::Csv::new(wrapped.columns)),
        };
        let written = Written { rows, writer, ended: false };
        Ok(Document { pieces: Pieces::new(written, self.limits().statement_timeout) })
    }
}

impl Database {
    async fn columns(&self, sql: &str) -> Result<Vec<String>, PgError> {
        let work = |mut lease: Lease| async move { (lease.column_names(sql).await, lease) };
        self.on_lease(None, work).await.map(|(names, _)| names)
    }
}

/// Puts rows together.
trait Writer: Send {
    /// Adds a row of the wrapped statement.
    fn row(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError>;

    /// Adds what stands at the end, and at the beginning if there was no row.
    fn end(&mut self, piece: &mut Vec<u8>);
}

/// The bytes of a document, in pieces. Dropping it before its end cancels the statement.
pub struct Document {
    pieces: Pieces<Written>,
}

impl Stream for Document {
    type Item = Result<Bytes, PgError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Bytes::from)))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

struct Written {
    rows: Rows,
    writer: Box<dyn Writer>,
    ended: bool,
}

impl Source for Written {
    fn poll_add(&mut self, piece: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<Result<(), PgError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Self { rows, writer, ended } = self;
        let polled = std::task::ready!(rows.poll_with(cx, |_, row| writer.row(row, piece)));
        Poll::Ready(Some(polled.unwrap_or_else(|| {
            *ended = true;
            writer.end(piece);
            Ok(())
        })))
    }
}

/// A text of the wrapped statement's row. None: NULL.
fn text(row: &Row, column: usize) -> Result<Option<&str>, PgError> {
    row.try_get(column).map_err(PgError::from)
}
