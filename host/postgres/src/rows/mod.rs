//! Rows: from the wire's binary fields to a guest's block.
//!
//! How each column is packed is worked out once, when its statement is prepared ([`Columns`]); then each field is
//! written into the block straight from the message it came in. Nothing is allocated per value. The form of the
//! block and the row kinds: README of `fasterapi:postgres`. Columns that only the server can read are asked for as
//! text ([`casts`]).

mod codec;
mod datetime;
mod describe;
mod field;
mod geometry;
mod made;
mod marshal;
mod network;
mod numeric;
mod search;
#[cfg(test)]
mod tests;
mod value;

use postgres_types::{FromSql, Kind, Type};
use tokio_postgres::{Column, Row};

use self::{codec::Codec, marshal::Writer};
pub(crate) use self::{
    datetime::{DAY, Text, put_date, put_time},
    field::{DecodeError, Field},
    made::Dimensions,
    marshal::Block,
    numeric::Numeric,
};
use crate::PgError;

/// Whether only the server can read and write values of this type.
pub(crate) fn is_foreign(ty: &Type) -> bool {
    Codec::of(ty).is_none()
}

/// The casts that make columns readable, column by column: empty where none is needed. None: no column needs one.
pub(crate) fn casts(columns: &[Column]) -> Option<Vec<&'static str>> {
    let cast = |column: &Column| match column.type_() {
        ty if !is_foreign(ty) => "",
        ty if matches!(describe::base(ty).kind(), Kind::Array(_)) => "::pg_catalog.text[]",
        _ => "::pg_catalog.text",
    };
    let casts: Vec<_> = columns.iter().map(cast).collect();
    casts.iter().any(|cast| !cast.is_empty()).then_some(casts)
}

/// The columns of a prepared statement: how to pack each, and their part of every block.
#[derive(Debug)]
pub(crate) struct Columns {
    codecs: Vec<Codec>,
    /// The packed tuple of their descriptions.
    packed: Box<[u8]>,
}

/// Where the int of affected rows stands in a block: behind the two bytes of the tuple.
const AFFECTED_AT: usize = 2;
const HEAD: &[u8] = b")\x03i\0\0\0\0";

impl Columns {
    /// Of a statement's columns. Those of a foreign type come as [`casts`] says: as text, or as an array of texts.
    pub(crate) fn new(columns: &[Column]) -> Self {
        let codec = |column: &Column| match Codec::of(column.type_()) {
            Some(codec) => codec,
            None if matches!(describe::base(column.type_()).kind(), Kind::Array(_)) => {
                Codec::Array(Box::new(Codec::Text))
            }
            None => Codec::Text,
        };
        let codecs: Vec<Codec> = columns.iter().map(codec).collect();
        let mut out = Writer::new(usize::MAX);
        out.tuple(columns.len());
        for (column, codec) in columns.iter().zip(&codecs) {
            describe::write(column.name(), column.type_(), codec, &mut out);
        }
        Self { codecs, packed: out.bytes.into() }
    }

    /// Whether the statement has no rows by its nature.
    pub(crate) fn is_empty(&self) -> bool {
        self.codecs.is_empty()
    }

    /// The packed tuple of their descriptions.
    pub(crate) fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Packs one row as a tuple. `limit` is told when it is over.
    fn pack(&self, row: &Row, out: &mut Writer, limit: usize) -> Result<(), PgError> {
        out.tuple(self.codecs.len());
        for (index, codec) in self.codecs.iter().enumerate() {
            let Raw(raw) = row.try_get(index)?;
            let written = match raw {
                Some(raw) => codec.write(Field::new(raw), out),
                None => {
                    out.none();
                    Ok(())
                }
            };
            written.and_then(|()| out.check_room()).map_err(|error| failed(row, index, error, limit))?;
        }
        Ok(())
    }

    /// Packs one row of at most `limit` bytes into a list of rows: a block that is empty or holds a list made so. A
    /// failure leaves the list as it was.
    pub(crate) fn push(&self, row: &Row, list: &mut Block, limit: usize) -> Result<(), PgError> {
        let before = list.len();
        let mut out = Writer::onto(std::mem::take(list), before.saturating_add(limit));
        if before == 0 {
            out.list(0);
        }
        let packed = self.pack(row, &mut out, limit);
        *list = out.bytes;
        if packed.is_err() {
            list.truncate(before);
            return packed;
        }
        if let Some(count) = list.get_mut(1..).and_then(<[u8]>::first_chunk_mut::<4>) {
            *count = (u32::from_le_bytes(*count) + 1).to_le_bytes();
        }
        Ok(())
    }
}

/// The failure to read a value of a row.
pub(crate) fn failed(row: &Row, index: usize, error: DecodeError, limit: usize) -> PgError {
    if error == DecodeError::Large {
        return PgError::too_large(limit);
    }
    let name = row.columns().get(index).map_or("", Column::name);
    let failed = PgError::database("22P03", format!("column `{name}`: {error}"));
    if error == DecodeError::Changed { failed.altered() } else { failed }
}

/// A result block in the making.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    columns: &'a Columns,
    out: Writer,
    rows_at: usize,
    rows: u32,
    limit: usize,
}

impl<'a> Packer<'a> {
    /// Starts a block of at most `limit` bytes.
    pub(crate) fn new(columns: &'a Columns, limit: usize) -> Self {
        let mut out = Writer::new(limit);
        out.reserve(HEAD.len() + columns.packed.len() + 256);
        out.bytes.extend_from_slice(HEAD);
        out.bytes.extend_from_slice(&columns.packed);
        out.list(0);
        let rows_at = out.bytes.len() - 4;
        Self { columns, out, rows_at, rows: 0, limit }
    }

    /// Packs one row.
    pub(crate) fn row(&mut self, row: &Row) -> Result<(), PgError> {
        self.columns.pack(row, &mut self.out, self.limit)?;
        self.rows += 1;
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.out.bytes.len()
    }

    /// The finished block. `affected` is the count in the command tag.
    pub(crate) fn finish(mut self, affected: u64) -> Block {
        let block = &mut self.out.bytes;
        if let Some(slot) = block.get_mut(self.rows_at..self.rows_at + 4) {
            slot.copy_from_slice(&self.rows.to_le_bytes());
        }
        let mut count = Writer::new(usize::MAX);
        count.int(affected.into());
        // An int of more than 32 bits is longer than its place.
        let place = AFFECTED_AT..HEAD.len();
        block.splice(place, count.bytes);
        self.out.bytes
    }
}

/// A field's bytes as they came.
pub(crate) struct Raw<'a>(pub(crate) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
