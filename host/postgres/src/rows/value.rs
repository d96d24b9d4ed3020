//! Forms that belong to no family of their own.

use std::io::Write;

use super::{
    field::{DecodeError, Field},
    marshal::Writer,
};

/// The float8 of the shortest decimal that means this float4: what the server prints.
pub(super) fn widen(value: f32) -> f64 {
    let plain = f64::from(value);
    // Integers below 2^24 and what is not finite are the same in both.
    if !value.is_finite() || (value.fract() == 0.0 && value.abs() < 16_777_216.0) {
        return plain;
    }
    let mut text = Digits::default();
    let mut written = std::fmt::write(&mut text, format_args!("{value:e}"));
    let digits = text.as_str().bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    if digits >= MAY_TIE {
        // Of two decimals of this length that are as close the server prints the even one.
        text = Digits::default();
        written = std::fmt::write(&mut text, format_args!("{plain:.0$e}", digits - 1));
    }
    written.ok().and_then(|()| text.as_str().parse().ok()).unwrap_or(plain)
}

/// With fewer digits, half a unit of the last is more than half the distance between two float4s.
const MAY_TIE: usize = 7;

/// A text on the stack: long enough for any float4.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    length: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

pub(super) fn text(raw: &[u8], out: &mut Writer) -> Result<(), DecodeError> {
    out.text(std::str::from_utf8(raw).map_err(|_| DecodeError::Corrupt)?);
    Ok(())
}

/// `"char"`: nothing for 0, an octal escape outside of ASCII (`charout` in PostgreSQL's `char.c`).
pub(super) fn char(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let byte = field.u8()?;
    field.end()?;
    out.ascii(|text| match byte {
        0 => {}
        1..0x80 => text.push(byte),
        _ => text.extend([b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]),
    });
    Ok(())
}

/// The binary forms of jsonb, jsonpath and ltree: a version, of which there is only one, and their text.
pub(super) fn versioned(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    if field.u8()? == 1 { text(field.rest, out) } else { Err(DecodeError::Corrupt) }
}

pub(super) fn bits(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.length()?;
    if field.rest.len() != count.div_ceil(8) {
        return Err(DecodeError::Corrupt);
    }
    let bits = field.rest.iter().flat_map(|byte| (0..8).rev().map(move |bit| b'0' + (byte >> bit & 1)));
    out.ascii(|text| text.extend(bits.take(count)));
    Ok(())
}

/// A place in the write-ahead log (`pg_lsn_out`).
pub(super) fn lsn(value: u64, out: &mut Writer) {
    out.ascii(|text| put(text, format_args!("{:X}/{:X}", value >> 32, value as u32)));
}

/// A row's place in its table: block and index (`tidout`).
pub(super) fn tid(block: u32, index: u16, out: &mut Writer) {
    out.ascii(|text| put(text, format_args!("({block},{index})")));
}

/// `pg_snapshot_send` in PostgreSQL's `xid8funcs.c`: how many transactions are in progress, the first that is, the
/// first that is not yet assigned, and all in progress.
pub(super) fn snapshot(mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.length()?;
    let (min, max) = (field.i64()?, field.i64()?);
    let (ids, rest) = field.rest.as_chunks::<8>();
    if ids.len() != count || !rest.is_empty() {
        return Err(DecodeError::Corrupt);
    }
    out.ascii(|text| {
        put(text, format_args!("{min}:{max}:"));
        for (index, id) in ids.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            put(text, format_args!("{comma}{}", i64::from_be_bytes(*id)));
        }
    });
    Ok(())
}

/// Appends what is formatted. Writing to memory does not fail.
pub(super) fn put(text: &mut Vec<u8>, formatted: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(formatted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float4_widens_as_it_prints() {
        for value in
            [0.1_f32, -1.5, 3.402_823_5e38, 1e-45, 16_777_216.0, 123_456.79, 8_388_608.5, 0.0, -0.0, 1e10]
        {
            assert_eq!(widen(value).to_string(), value.to_string());
            assert_eq!(widen(value).is_sign_negative(), value.is_sign_negative());
        }
        // As the server prints them; Rust prints `1048576.3`.
        assert_eq!(widen(1_048_576.0 + 0.25), 1_048_576.2);
        assert_eq!(widen(1_048_576.0 + 0.75), 1_048_576.8);
        assert!(widen(f32::NAN).is_nan() && widen(f32::INFINITY).is_infinite());
    }
}
