//! Who writes a statement's values: the host, from their binary forms, when it can prove that it writes what the
//! server would; the server otherwise.

use tokio_postgres::{Column, Row};

use super::{
    Format, csv,
    form::{Form, Scalar},
    json, text,
};
use crate::{
    PgError,
    rows::{DecodeError, Field, Raw, failed},
    session::Printing,
};

/// How the host writes the rows of a prepared statement. Made once for it.
#[derive(Debug)]
pub(crate) struct Plan {
    columns: Box<[Planned]>,
    /// Whether a value may hold the line breaks that it was stored with.
    pub(super) has_json: bool,
}

#[derive(Debug)]
struct Planned {
    /// The name as a key of JSON, with what stands around it.
    key: Box<[u8]>,
    form: Form,
}

impl Plan {
    /// None: of a column only the server writes the values. So it does for a statement without columns, which may not be
    /// one that gives rows.
    pub(crate) fn of(columns: &[Column]) -> Option<Self> {
        let planned = |(index, column): (usize, &Column)| {
            let mut key = if index == 0 { b"{\"".to_vec() } else { b",\"".to_vec() };
            text::escape(column.name(), &mut key);
            key.extend_from_slice(b"\":");
            Form::of(column.type_()).map(|form| Planned { key: key.into(), form })
        };
        let columns: Box<[Planned]> = columns.iter().enumerate().map(planned).collect::<Option<_>>()?;
        let has_json = columns.iter().any(|column| column.form.scalar() == Scalar::Json);
        (!columns.is_empty()).then_some(Self { columns, has_json })
    }

    /// Whether a server with these settings writes the same.
    pub(crate) fn holds(&self, printing: Printing, format: Format) -> bool {
        let dates = format != Format::Csv || printing.iso_dates;
        self.columns.iter().all(|column| match column.form.scalar() {
            Scalar::Float4 | Scalar::Float8 => printing.shortest_floats,
            Scalar::Bytea => printing.hex_bytes,
            Scalar::TimestampTz => dates && printing.in_utc,
            Scalar::Date | Scalar::Timestamp => dates,
            _ => true,
        })
    }

    /// Appends a row as an object of at most about `limit` bytes.
    pub(super) fn object(&self, row: &Row, limit: usize, out: &mut Vec<u8>) -> Result<(), PgError> {
        let most = out.len().saturating_add(limit);
        for (index, column) in self.columns.iter().enumerate() {
            out.extend_from_slice(&column.key);
            let Raw(raw) = row.try_get(index)?;
            let written = match raw {
                Some(raw) => json::value(column.form, Field::new(raw), most, out),
                None => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
            };
            written.and_then(|()| room(out, most)).map_err(|error| failed(row, index, error, limit))?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends a row as a line of CSV. `made`: see [`csv::value`].
    pub(super) fn line(
        &self,
        row: &Row,
        limit: usize,
        made: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), PgError> {
        let most = out.len().saturating_add(limit);
        let alone = self.columns.len() == 1;
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let Raw(raw) = row.try_get(index)?;
            let Some(raw) = raw else { continue };
            let written = csv::value(column.form, Field::new(raw), alone, most, made, out);
            written.and_then(|()| room(out, most)).map_err(|error| failed(row, index, error, limit))?;
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Asked after each value: some print a thousand times larger than they came.
fn room(out: &[u8], most: usize) -> Result<(), DecodeError> {
    if out.len() > most { Err(DecodeError::Large) } else { Ok(()) }
}
