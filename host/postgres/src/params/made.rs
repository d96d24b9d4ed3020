//! What is made of parts, as text: composites, ranges, multiranges, hstore (PostgreSQL documentation, sections 8.16.2,
//! 8.17.5 and F.17). Each part is quoted, and backslashes and quotes within it are escaped, which all of them read.

use bytes::{BufMut, BytesMut};

use super::{
    codec::{Codec, Misfit},
    literal::{put_display, without_null},
    marshal::{Dict, List, Value},
};

/// A value in double quotes.
pub(super) fn quote(text: &[u8], out: &mut BytesMut) {
    out.put_u8(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}

/// A part in double quotes; nothing at all when it is none.
fn part(codec: &Codec, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    if !matches!(value, Value::None) {
        let mut text = BytesMut::new();
        codec.literal(value, &mut text)?;
        quote(&text, out);
    }
    Ok(())
}

pub(super) fn composite(fields: &[Codec], values: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    if values.len() != fields.len() {
        return Err(Misfit::Fields(fields.len()));
    }
    out.put_u8(b'(');
    for (index, (codec, value)) in fields.iter().zip(values.iter()).enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        part(codec, &value, out)?;
    }
    out.put_u8(b')');
    Ok(())
}

/// Lower bound, upper bound, and the signs of both, which are none when the range is empty.
pub(super) fn range(subtype: &Codec, range: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    let (lower, upper, open, close) = match range.items() {
        Some([Value::None, Value::None, Value::None]) => {
            out.put_slice(b"empty");
            return Ok(());
        }
        Some([lower, upper, Value::Text(signs)]) => match signs {
            "[]" => (lower, upper, b'[', b']'),
            "[)" => (lower, upper, b'[', b')'),
            "(]" => (lower, upper, b'(', b']'),
            "()" => (lower, upper, b'(', b')'),
            _ => return Err(Misfit::Range),
        },
        _ => return Err(Misfit::RangeForm),
    };
    out.put_u8(open);
    part(subtype, &lower, out)?;
    out.put_u8(b',');
    part(subtype, &upper, out)?;
    out.put_u8(close);
    Ok(())
}

pub(super) fn multirange(subtype: &Codec, ranges: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    out.put_u8(b'{');
    for (index, value) in ranges.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        let Value::List(list) = value else { return Err(Misfit::RangeForm) };
        range(subtype, list, out)?;
    }
    out.put_u8(b'}');
    Ok(())
}

pub(super) fn hstore(dict: Dict<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    for (index, (key, value)) in dict.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        quote(without_null(key)?, out);
        out.put_slice(b"=>");
        match value {
            Some(value) => quote(without_null(value)?, out),
            None => out.put_slice(b"NULL"),
        }
    }
    Ok(())
}

/// A dict as JSON, as Python writes it.
pub(super) fn json(dict: Dict<'_>, out: &mut BytesMut) {
    out.put_u8(b'{');
    for (index, (key, value)) in dict.iter().enumerate() {
        out.put_slice(if index == 0 { b"" } else { b", " });
        json_text(key, out);
        out.put_slice(b": ");
        match value {
            Some(value) => json_text(value, out),
            None => out.put_slice(b"null"),
        }
    }
    out.put_u8(b'}');
}

fn json_text(text: &str, out: &mut BytesMut) {
    out.put_u8(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            0..0x20 => put_display(out, &format_args!("\\u{byte:04x}")),
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'"');
}

/// pgvector's vector.
pub(super) fn vector(list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    out.put_u8(b'[');
    numbers(&Codec::Float4, list, b',', out)?;
    out.put_u8(b']');
    Ok(())
}

pub(super) fn numbers(
    codec: &Codec,
    list: List<'_>,
    delimiter: u8,
    out: &mut BytesMut,
) -> Result<(), Misfit> {
    for (index, number) in list.iter().enumerate() {
        if index > 0 {
            out.put_u8(delimiter);
        }
        codec.literal(&number, out)?;
    }
    Ok(())
}
