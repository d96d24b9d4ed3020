//! Text search vectors as Postgres prints them.

use super::{
    field::{DecodeError, Field},
    marshal::Writer,
    value::put,
};

/// `tsvectorsend` in PostgreSQL's `tsvector.c`: how many lexemes; each one's text, ended by a zero, and its places:
/// how many, and for each the weight (2 bits, D to A) and the number (14 bits).
pub(super) fn vector(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.count(3)?;
    let mut text = Vec::with_capacity(field.rest.len() * 2);
    for index in 0..count {
        if index > 0 {
            text.push(b' ');
        }
        let length = field.rest.iter().position(|byte| *byte == 0).ok_or(DecodeError::Corrupt)?;
        quote(field.take(length)?, &mut text);
        field.take(1)?;
        let places = field.i16()? as u16;
        for place in 0..places {
            let packed = field.i16()? as u16;
            put(&mut text, format_args!("{}{}", if place == 0 { ':' } else { ',' }, packed & 0x3fff));
            text.extend_from_slice(match packed >> 14 {
                0 => b"",
                1 => b"C",
                2 => b"B",
                _ => b"A",
            });
        }
    }
    field.end()?;
    super::value::text(&text, out)
}

fn quote(lexeme: &[u8], text: &mut Vec<u8>) {
    text.push(b'\'');
    for &byte in lexeme {
        if matches!(byte, b'\'' | b'\\') {
            text.push(byte);
        }
        text.push(byte);
    }
    text.push(b'\'');
}
