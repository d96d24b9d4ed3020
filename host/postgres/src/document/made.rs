//! Arrays.

use super::{
    form::{Dates, Scalar},
    json, number, text,
};
use crate::rows::{DecodeError, Dimensions, Field};

/// Appends an array as JSON (`array_to_json`). No more than one value goes over the length `most`.
pub(super) fn json(
    scalar: Scalar,
    mut field: Field<'_>,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let dimensions = Dimensions::read(&mut field)?;
    let mut walk = Walk { signs: *b"[]", most, out };
    let value = |value: Option<Field<'_>>, out: &mut Vec<u8>| match value {
        Some(field) => json::scalar(scalar, field, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    };
    walk.whole(&dimensions, &mut field, &value)?;
    field.end()
}

/// Appends an array as its type's text (`array_out` in PostgreSQL's `arrayfuncs.c`).
pub(super) fn plain(
    scalar: Scalar,
    mut field: Field<'_>,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let dimensions = Dimensions::read(&mut field)?;
    if dimensions.lows().iter().any(|low| *low != 1) {
        for (length, low) in dimensions.lengths().iter().zip(dimensions.lows()) {
            out.push(b'[');
            number::int(*low, out);
            out.push(b':');
            number::int(i64::from(*low) + *length as i64 - 1, out);
            out.push(b']');
        }
        out.push(b'=');
    }
    let mut walk = Walk { signs: *b"{}", most, out };
    let value = |value: Option<Field<'_>>, out: &mut Vec<u8>| match value {
        Some(field) => element(scalar, field, out),
        None => {
            out.extend_from_slice(b"NULL");
            Ok(())
        }
    };
    walk.whole(&dimensions, &mut field, &value)?;
    field.end()
}

fn element(scalar: Scalar, field: Field<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if let Some(text) = scalar.as_text(field) {
        quoted(text?, out);
        return Ok(());
    }
    if scalar == Scalar::Bytea {
        out.extend_from_slice(b"\"\\\\x");
        text::hex(field.rest, out);
        out.push(b'"');
        return Ok(());
    }
    let start = out.len();
    scalar.put(field, Dates::Iso, out)?;
    // Nothing else in these forms wants quotes.
    if out.get(start..).is_some_and(|text| text.contains(&b' ')) {
        out.insert(start, b'"');
        out.push(b'"');
    }
    Ok(())
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    let is_special = |byte| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | 9..=13);
    if !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && text::first(text.as_bytes(), is_special).is_none()
    {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

type Value<'v> = &'v dyn Fn(Option<Field<'_>>, &mut Vec<u8>) -> Result<(), DecodeError>;

struct Walk<'o> {
    signs: [u8; 2],
    most: usize,
    out: &'o mut Vec<u8>,
}

impl Walk<'_> {
    fn whole(
        &mut self,
        dimensions: &Dimensions,
        field: &mut Field<'_>,
        value: Value<'_>,
    ) -> Result<(), DecodeError> {
        if dimensions.lengths().is_empty() {
            self.out.extend_from_slice(&self.signs);
            return Ok(());
        }
        self.level(dimensions.lengths(), field, value)
    }

    fn level(
        &mut self,
        lengths: &[usize],
        field: &mut Field<'_>,
        value: Value<'_>,
    ) -> Result<(), DecodeError> {
        let Some((length, inner)) = lengths.split_first() else {
            if self.out.len() > self.most {
                return Err(DecodeError::Large);
            }
            let raw = field.nullable()?.map(|raw| field.inner(raw)).transpose()?;
            return value(raw, self.out);
        };
        let [open, close] = self.signs;
        for index in 0..*length {
            self.out.push(if index == 0 { open } else { b',' });
            self.level(inner, field, value)?;
        }
        self.out.push(close);
        Ok(())
    }
}
