//! Rows: from the wire's binary fields to a guest's block.
//!
//! How each column is packed is worked out once, when its statement is prepared ([`Columns`]); then each field is
//! written into the block straight from the message it came in. Nothing is allocated per value. The form of the
//! block and the row kinds: README of `fasterapi:postgres`.

mod codec;
mod datetime;
mod marshal;
mod network;
mod numeric;
mod value;

use postgres_types::{FromSql, Type};
use tokio_postgres::{Column, Row};

use self::codec::Codec;
pub(crate) use self::marshal::Block;
use crate::PgError;

/// Whether rows of this type go out as undecoded bytes.
pub(crate) fn is_opaque(ty: &Type) -> bool {
    matches!(Codec::of(ty), Codec::Binary)
}

/// The columns of a prepared statement: how to pack each, and their part of every block.
#[derive(Debug)]
pub(crate) struct Columns {
    codecs: Vec<Codec>,
    /// The packed tuple of `(name, oid, kind)`.
    packed: Box<[u8]>,
}

/// Where the int of affected rows stands in a block: behind the two bytes of the tuple.
const AFFECTED_AT: usize = 2;
const HEAD: &[u8] = b")\x03i\0\0\0\0";

impl Columns {
    pub(crate) fn new(columns: &[Column]) -> Self {
        let codecs: Vec<Codec> = columns.iter().map(|column| Codec::of(column.type_())).collect();
        let mut packed = Block::new();
        marshal::tuple(&mut packed, columns.len());
        for (column, codec) in columns.iter().zip(&codecs) {
            marshal::tuple(&mut packed, 3);
            marshal::text(&mut packed, column.name());
            marshal::int(&mut packed, column.type_().oid().into());
            marshal::text(&mut packed, &codec.kind());
        }
        Self { codecs, packed: packed.into() }
    }

    /// Whether the statement has no rows by its nature.
    pub(crate) fn is_empty(&self) -> bool {
        self.codecs.is_empty()
    }

    /// The packed tuple of `(name, oid, kind)`.
    pub(crate) fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Packs one row as a tuple.
    fn pack(&self, row: &Row, out: &mut Block) -> Result<(), PgError> {
        marshal::tuple(out, self.codecs.len());
        for (index, codec) in self.codecs.iter().enumerate() {
            let Field(field) = row.try_get(index)?;
            match field {
                None => marshal::none(out),
                Some(bytes) => codec.write(bytes, out).map_err(|error| {
                    let name = row.columns().get(index).map_or("", Column::name);
                    PgError::database("22P03", format!("column `{name}`: {error}"))
                })?,
            }
        }
        Ok(())
    }

    /// Packs one row of at most `limit` bytes into a list of rows: a block that is empty or holds a list made so. A
    /// failure leaves the list as it was.
    pub(crate) fn push(&self, row: &Row, list: &mut Block, limit: usize) -> Result<(), PgError> {
        let before = list.len();
        if list.is_empty() {
            marshal::list(list, 0);
        }
        let packed = match self.pack(row, list) {
            Ok(()) if list.len() - before > limit => Err(PgError::too_large(limit)),
            other => other,
        };
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

/// A result block in the making.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    columns: &'a Columns,
    block: Block,
    rows_at: usize,
    rows: u32,
    limit: usize,
}

impl<'a> Packer<'a> {
    /// Starts a block of at most `limit` bytes.
    pub(crate) fn new(columns: &'a Columns, limit: usize) -> Self {
        let mut block = Block::with_capacity(HEAD.len() + columns.packed.len() + 256);
        block.extend_from_slice(HEAD);
        block.extend_from_slice(&columns.packed);
        marshal::list(&mut block, 0);
        let rows_at = block.len() - 4;
        Self { columns, block, rows_at, rows: 0, limit }
    }

    /// Packs one row.
    pub(crate) fn row(&mut self, row: &Row) -> Result<(), PgError> {
        self.columns.pack(row, &mut self.block)?;
        self.rows += 1;
        if self.block.len() > self.limit { Err(PgError::too_large(self.limit)) } else { Ok(()) }
    }

    /// The finished block. `affected` is the count in the command tag.
    pub(crate) fn finish(mut self, affected: u64) -> Block {
        if let Some(slot) = self.block.get_mut(self.rows_at..self.rows_at + 4) {
            slot.copy_from_slice(&self.rows.to_le_bytes());
        }
        let mut count = Block::new();
        marshal::int(&mut count, affected.into());
        // An int of more than 32 bits is longer than its place.
        let place = AFFECTED_AT..HEAD.len();
        self.block.splice(place, count);
        self.block
    }
}

/// A field's bytes as they came.
struct Field<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Field<'a> {
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
