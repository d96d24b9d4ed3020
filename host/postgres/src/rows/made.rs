//! Types made of others: arrays, ranges, multiranges, composites, records, hstore.

use postgres_types::Type;

use super::{
    codec::Codec,
    describe,
    field::{DecodeError, Field},
    marshal::Writer,
};

/// The server's MAXDIM.
const MAX_DIMENSIONS: usize = 6;

/// What stands before the elements of an array.
#[derive(Default)]
pub(crate) struct Dimensions {
    count: usize,
    lengths: [usize; MAX_DIMENSIONS],
    lows: [i32; MAX_DIMENSIONS],
}

impl Dimensions {
    /// `array_send` in PostgreSQL's `arrayfuncs.c`: dimensions, flags, element type, each dimension's length and lower
    /// bound, then the elements.
    pub(crate) fn read(field: &mut Field<'_>) -> Result<Self, DecodeError> {
        let mut read = Self { count: field.length()?, ..Self::default() };
        field.take(8)?;
        let mut total = usize::from(read.count > 0);
        let lengths = read.lengths.get_mut(..read.count).ok_or(DecodeError::Corrupt)?;
        for (length, low) in lengths.iter_mut().zip(&mut read.lows) {
            *length = field.length()?;
            *low = field.i32()?;
            total = total.checked_mul(*length).ok_or(DecodeError::Corrupt)?;
        }
        match read.lengths() {
            // Alone int2vector and oidvector have a dimension without elements.
            [] | [0] => Ok(Self::default()),
            // An element takes the four bytes of its length or more.
            _ if total == 0 || total > field.rest.len() / 4 => Err(DecodeError::Corrupt),
            _ => Ok(read),
        }
    }

    /// Empty: the array is.
    pub(crate) fn lengths(&self) -> &[usize] {
        self.lengths.get(..self.count).unwrap_or_default()
    }

    /// The number of each dimension's first element.
    pub(crate) fn lows(&self) -> &[i32] {
        self.lows.get(..self.count).unwrap_or_default()
    }
}

pub(super) fn array(element: &Codec, mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let dimensions = Dimensions::read(&mut field)?;
    match dimensions.lengths() {
        [] => out.list(0),
        lengths => elements(element, lengths, &mut field, out)?,
    }
    field.end()
}

fn elements(
    element: &Codec,
    lengths: &[usize],
    field: &mut Field<'_>,
    out: &mut Writer,
) -> Result<(), DecodeError> {
    let Some((length, inner)) = lengths.split_first() else {
        let value = field.nullable()?;
        return nullable(element, field, value, out);
    };
    out.list(*length);
    (0..*length).try_for_each(|_| elements(element, inner, field, out))
}

/// A value within `outer`, or null.
fn nullable<'a>(
    codec: &Codec,
    outer: &Field<'a>,
    value: Option<&'a [u8]>,
    out: &mut Writer,
) -> Result<(), DecodeError> {
    out.check_room()?;
    match value {
        None => out.none(),
        Some(raw) => return codec.write(outer.inner(raw)?, out),
    }
    Ok(())
}

/// The flags of `range_send` in PostgreSQL's `rangetypes.h`.
const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// Lower bound, upper bound, and the signs of both; no signs: it is empty.
pub(super) fn range(subtype: &Codec, mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let flags = field.u8()?;
    out.tuple(3);
    for infinite in [LOWER_INFINITE, UPPER_INFINITE] {
        if flags & (EMPTY | infinite) != 0 {
            out.none();
        } else {
            let bound = field.nullable()?.ok_or(DecodeError::Corrupt)?;
            nullable(subtype, &field, Some(bound), out)?;
        }
    }
    if flags & EMPTY != 0 {
        out.none();
    } else {
        out.text(match (flags & LOWER_INCLUSIVE != 0, flags & UPPER_INCLUSIVE != 0) {
            (true, true) => "[]",
            (true, false) => "[)",
            (false, true) => "(]",
            (false, false) => "()",
        });
    }
    field.end()
}

/// `multirange_send` in PostgreSQL's `multirangetypes.c`.
pub(super) fn multirange(subtype: &Codec, mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.count(5)?;
    out.tuple(count);
    for _ in 0..count {
        out.check_room()?;
        let raw = field.nullable()?.ok_or(DecodeError::Corrupt)?;
        range(subtype, field.inner(raw)?, out)?;
    }
    field.end()
}

/// `record_send` in PostgreSQL's `rowtypes.c`: how many fields, then each one's type, length and value.
pub(super) fn composite(
    fields: &[(u32, Codec)],
    mut field: Field<'_>,
    out: &mut Writer,
) -> Result<(), DecodeError> {
    if field.length()? != fields.len() {
        return Err(DecodeError::Changed);
    }
    out.tuple(fields.len());
    for (oid, codec) in fields {
        if field.u32()? != *oid {
            return Err(DecodeError::Changed);
        }
        let value = field.nullable()?;
        nullable(codec, &field, value, out)?;
    }
    field.end()
}

/// A record has no type that could be known beforehand: each of its values goes with a description of its own.
pub(super) fn record(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.count(8)?;
    out.tuple(count);
    for _ in 0..count {
        let oid = field.u32()?;
        let value = field.nullable()?;
        let ty = Type::from_oid(oid).ok_or(DecodeError::Foreign(oid))?;
        let codec = Codec::of(&ty).ok_or(DecodeError::Foreign(oid))?;
        out.tuple(2);
        describe::write("", &ty, &codec, out);
        nullable(&codec, &field, value, out)?;
    }
    field.end()
}

/// `hstore_send` in PostgreSQL's `contrib/hstore`: how many pairs, then each key and value with its length.
pub(super) fn hstore(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.count(8)?;
    out.begin_dict();
    for _ in 0..count {
        let key = field.nullable()?.ok_or(DecodeError::Corrupt)?;
        out.text(std::str::from_utf8(key).map_err(|_| DecodeError::Corrupt)?);
        let value = field.nullable()?;
        nullable(&Codec::Text, &field, value, out)?;
    }
    out.end_dict();
    field.end()
}

/// `vector_send` of pgvector: how many float4s, a number that is not used, the float4s.
pub(super) fn vector(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = usize::try_from(field.i16()?).map_err(|_| DecodeError::Corrupt)?;
    field.take(2)?;
    out.list(count);
    for _ in 0..count {
        let number = field.take(4)?;
        nullable(&Codec::Float4, &field, Some(number), out)?;
    }
    field.end()
}
