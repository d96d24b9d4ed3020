//! Reading fields, and the forms that belong to no family of their own.

use super::{Block, codec::Codec, marshal};

/// A field whose bytes are not what its type's binary form says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's value is not in its type's binary form, or its text not in utf-8")]
pub(super) struct DecodeError;

/// The bytes of a field not read yet. Integers are big-endian.
#[derive(Clone, Copy)]
pub(super) struct Field<'a>(pub(super) &'a [u8]);

impl<'a> Field<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(DecodeError)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(DecodeError)?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.i32()?).map_err(|_| DecodeError)
    }
}

/// The float8 of the shortest decimal that means this float4: what the server prints.
pub(super) fn widen(value: f32) -> f64 {
    let plain = f64::from(value);
    // Integers below 2^24 and what is not finite are the same in both.
    if !value.is_finite() || (value.fract() == 0.0 && value.abs() < 16_777_216.0) {
        return plain;
    }
    let mut text = Digits::default();
    match std::fmt::write(&mut text, format_args!("{value:e}")) {
        Ok(()) => text.as_str().parse().unwrap_or(plain),
        Err(_) => plain,
    }
}

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

pub(super) fn text(raw: &[u8], out: &mut Block) -> Result<(), DecodeError> {
    marshal::text(out, std::str::from_utf8(raw).map_err(|_| DecodeError)?);
    Ok(())
}

/// `"char"`: nothing for 0, an octal escape outside of ASCII (`charout` in PostgreSQL's `char.c`).
pub(super) fn char(byte: u8, out: &mut Block) -> Result<(), DecodeError> {
    match byte {
        0 => text(b"", out),
        1..0x80 => text(&[byte], out),
        _ => text(format!("\\{byte:03o}").as_bytes(), out),
    }
}

pub(super) fn jsonb(mut field: Field<'_>, out: &mut Block) -> Result<(), DecodeError> {
    // The only version of jsonb's binary form.
    if field.u8()? == 1 { text(field.0, out) } else { Err(DecodeError) }
}

pub(super) fn bits(mut field: Field<'_>, out: &mut Block) -> Result<(), DecodeError> {
    let count = field.length()?;
    if field.0.len() != count.div_ceil(8) {
        return Err(DecodeError);
    }
    let bits = field.0.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let digits: String = bits.take(count).map(|bit| if bit == 1 { '1' } else { '0' }).collect();
    marshal::text(out, &digits);
    Ok(())
}

/// `array_send` in PostgreSQL's `arrayfuncs.c`: dimensions, flags, element type, each dimension's length and lower
/// bound, then the elements.
pub(super) fn array(element: &Codec, mut field: Field<'_>, out: &mut Block) -> Result<(), DecodeError> {
    let dimensions = field.length()?;
    field.take(8)?;
    if dimensions == 0 {
        marshal::list(out, 0);
        return Ok(());
    }
    let mut lengths = [0; 6];
    let lengths = lengths.get_mut(..dimensions).ok_or(DecodeError)?;
    for length in lengths.iter_mut() {
        *length = field.length()?;
        field.take(4)?;
    }
    elements(element, lengths, &mut field, out)
}

fn elements(
    element: &Codec,
    lengths: &[usize],
    field: &mut Field<'_>,
    out: &mut Block,
) -> Result<(), DecodeError> {
    let Some((length, inner)) = lengths.split_first() else {
        let length = field.i32()?;
        if length < 0 {
            marshal::none(out);
            return Ok(());
        }
        return element.write(field.take(length as usize)?, out);
    };
    marshal::list(out, *length);
    (0..*length).try_for_each(|_| elements(element, inner, field, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float4_widens_as_it_prints() {
        for value in [0.1_f32, -1.5, 3.402_823_5e38, 1e-45, 16_777_216.0, 123_456.79, 0.0, -0.0, 1e10] {
            assert_eq!(widen(value).to_string(), value.to_string());
            assert_eq!(widen(value).is_sign_negative(), value.is_sign_negative());
        }
        assert!(widen(f32::NAN).is_nan() && widen(f32::INFINITY).is_infinite());
    }

    #[test]
    fn a_wrong_field_is_an_error_not_a_panic() {
        let mut out = Block::new();
        for codec in
            [Codec::Array(Box::new(Codec::Int4)), Codec::Jsonb, Codec::Bits, Codec::Numeric, Codec::Inet]
        {
            for raw in [b"".as_slice(), b"\x02", &[0xff; 12], &[0x7f; 8]] {
                assert_eq!(codec.write(raw, &mut out), Err(DecodeError), "{codec:?} {raw:?}");
            }
        }
    }
}
