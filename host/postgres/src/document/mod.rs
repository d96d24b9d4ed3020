//! A statement's rows as a document for a client: bytes of JSON, of JSON lines, or of CSV.
//!
//! A value looks exactly as PostgreSQL's own `to_json` or COPY has it. Of the common types the host writes it from the
//! binary form, straight into the piece ([`plan`]); a statement that gives any other type, or whose session is set to
//! print otherwise, stands within one that has the server write its values ([`wrap`]). The host puts the rows together
//! as they come, in pieces, and never holds more than one of them.

mod csv;
mod form;
mod json;
mod made;
mod number;
mod plan;
mod text;
mod time;
mod wrap;
mod writer;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;

pub(crate) use self::plan::Plan;
use self::writer::Writer;
use crate::{
    Database, PgError,
    params::Params,
    pool::Lease,
    session::{End, Flow, Incoming, Loan, Opening, Printing},
    statistics::What,
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
    /// As [`stream`](Self::stream); `database` too for a statement whose values the server writes, and that cannot stand
    /// within another: only SELECT, VALUES, TABLE, WITH, and INSERT, UPDATE, DELETE, MERGE with RETURNING can.
    pub async fn document(&self, sql: &str, params: &[u8], format: Format) -> Result<Document, PgError> {
        let params = &self.limits().read(sql, params)?;
        let begun = match self.begin_document(sql, params, format, true).await? {
            (rows, Some(writer)) => (rows, writer),
            // What it gives has changed since it was prepared: nothing of it is done, and the server knows what to write.
            (rows, None) => {
                drop(rows);
                let (rows, writer) = self.begin_document(sql, params, format, false).await?;
                (rows, writer.ok_or_else(|| PgError::connection("the document has no form"))?)
            }
        };
        let written = Written { rows: begun.0, writer: begun.1, ended: false };
        Ok(Document { pieces: Pieces::new(written, self.limits().statement_timeout) })
    }

    /// Starts the statement. No writer: it was started for the host to write, and gives what the host does not.
    async fn begin_document(
        &self,
        sql: &str,
        params: &Params<'_>,
        format: Format,
        natively: bool,
    ) -> Result<(Rows, Option<Writer>), PgError> {
        let limit = self.limits().max_result_bytes;
        let opening = &self.opening_of_flow();
        // A variable without a dot in its name would be a setting, which may change how values are printed.
        let natively =
            natively && self.variables.iter().flat_map(|all| all.iter()).all(|(name, _)| name.contains('.'));
        let work = |mut lease: Lease| async move {
            let opening = opening.as_deref().map(|sql| Opening { sql, end: End::Reads });
            let start = Start { sql, params, format, limit };
            (start.run(&mut lease, opening, natively).await, lease)
        };
        let ((incoming, writer), lease) = self.on_lease(Some(What::Sql(sql)), work).await?;
        Ok((Rows::new(incoming, Flow::of(Loan::own(lease))), writer))
    }
}

/// The start of a document's statement.
struct Start<'a> {
    sql: &'a str,
    params: &'a Params<'a>,
    format: Format,
    limit: usize,
}

impl Start<'_> {
    async fn run(
        &self,
        lease: &mut Lease,
        opening: Option<Opening<'_>>,
        natively: bool,
    ) -> Result<(Incoming, Option<Writer>), PgError> {
        if natively && lease.prepared_statement(self.sql).await?.plan().is_some() {
            let printing = lease.printing().await?;
            // A look-up in what is kept, but for a text too long to be.
            let prepared = lease.prepared_statement(self.sql).await?;
            if prepared.plan().is_some_and(|plan| plan.holds(printing, self.format)) {
                let incoming = lease.start_rows(opening, self.sql, self.params).await?;
                let writer = self.writer(&incoming, printing);
                return Ok((incoming, writer));
            }
        }
        let (wrapped, names) = match self.format {
            Format::Json | Format::NdJson => (wrap::json(self.sql), Vec::new()),
            Format::Csv => {
                let names = lease.column_names(self.sql).await?;
                (wrap::csv(self.sql, names.len()), names)
            }
        };
        let incoming = lease.start_rows(opening, &wrapped.sql, self.params).await;
        let incoming = incoming.map_err(|error| wrapped.explain(error))?;
        Ok((incoming, Some(Writer::new(self.format, None, names, self.limit))))
    }

    /// By what has run: it may have been prepared again meanwhile.
    fn writer(&self, incoming: &Incoming, printing: Printing) -> Option<Writer> {
        let prepared = &incoming.prepared;
        let plan = prepared.plan().filter(|plan| plan.holds(printing, self.format))?;
        let names = prepared.statement.columns().iter().map(|column| column.name().to_owned());
        let names = if self.format == Format::Csv { names.collect() } else { Vec::new() };
        Some(Writer::new(self.format, Some(Arc::clone(plan)), names, self.limit))
    }
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
    writer: Writer,
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
