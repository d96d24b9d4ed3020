//! Putting rows together.

use std::sync::Arc;

use tokio_postgres::Row;

use super::{Format, Plan, csv};
use crate::PgError;

/// Writes the rows of one document.
pub(super) struct Writer {
    format: Format,
    /// None: the server has written the values.
    plan: Option<Arc<Plan>>,
    /// The names of CSV's columns.
    names: Vec<String>,
    begun: bool,
    /// Most bytes of a row.
    limit: usize,
    /// Where arrays are made for CSV.
    made: Vec<u8>,
}

impl Writer {
    pub(super) fn new(format: Format, plan: Option<Arc<Plan>>, names: Vec<String>, limit: usize) -> Self {
        Self { format, plan, names, begun: false, limit, made: Vec::new() }
    }

    /// Adds a row, or nothing of it and an error.
    pub(super) fn row(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        let (before, first) = (piece.len(), !self.begun);
        let written = match self.format {
            Format::Json => {
                piece.push(if first { b'[' } else { b',' });
                self.object(row, piece)
            }
            Format::NdJson => self.object_line(row, piece),
            Format::Csv => {
                self.header(piece);
                self.fields(row, piece)
            }
        };
        if written.is_err() {
            piece.truncate(before);
        } else {
            self.begun = true;
        }
        written
    }

    /// Adds what stands at the end, and at the beginning if there was no row.
    pub(super) fn end(&self, piece: &mut Vec<u8>) {
        match self.format {
            Format::Json => piece.extend_from_slice(if self.begun { b"]" } else { b"[]" }),
            Format::NdJson => {}
            Format::Csv => self.header(piece),
        }
    }

    fn header(&self, piece: &mut Vec<u8>) {
        if !self.begun {
            csv::line(self.names.iter().map(|name| Some(name.as_str())), piece);
        }
    }

    fn object(&self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        match &self.plan {
            Some(plan) => plan.object(row, self.limit, piece)?,
            None => piece.extend_from_slice(text(row, 0)?.unwrap_or("null").as_bytes()),
        }
        Ok(())
    }

    fn object_line(&self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        let start = piece.len();
        self.object(row, piece)?;
        if self.plan.as_ref().is_none_or(|plan| plan.has_json) {
            // A json value keeps the line breaks that it was stored with: between its parts, where a space does as well.
            for byte in piece.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
                *byte = b' ';
            }
        }
        piece.push(b'\n');
        Ok(())
    }

    fn fields(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        if let Some(plan) = &self.plan {
            return plan.line(row, self.limit, &mut self.made, piece);
        }
        let fields = (0..self.names.len()).map(|column| text(row, column)).collect::<Result<Vec<_>, _>>()?;
        csv::line(fields.into_iter(), piece);
        Ok(())
    }
}

/// A text of a row whose values the server wrote. None: NULL.
fn text(row: &Row, column: usize) -> Result<Option<&str>, PgError> {
    row.try_get(column).map_err(PgError::from)
}
