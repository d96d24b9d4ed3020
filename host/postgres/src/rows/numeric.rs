//! Numeric's binary form to its text (`numeric_send` and `get_str_from_var` in PostgreSQL's `numeric.c`).

use super::field::{DecodeError, Field};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// A numeric as it came.
pub(crate) enum Numeric<'a> {
    /// Not a number, or an infinity.
    Word(&'static str),
    /// Groups of four decimal digits: the first stands for its value times 10000 to the power of `weight`.
    Number { negative: bool, weight: i32, scale: usize, groups: &'a [[u8; 2]] },
}

impl<'a> Numeric<'a> {
    pub(crate) fn read(field: &mut Field<'a>) -> Result<Self, DecodeError> {
        let count = field.i16()?;
        let weight = i32::from(field.i16()?);
        let sign = field.i16()? as u16;
        let scale = usize::try_from(field.i16()?).map_err(|_| DecodeError::Corrupt)?;
        let count = usize::try_from(count).map_err(|_| DecodeError::Corrupt)?;
        let (groups, _) = field.take(count * 2)?.as_chunks::<2>();
        Ok(match sign {
            0 | NEGATIVE => Self::Number { negative: sign == NEGATIVE, weight, scale, groups },
            NAN => Self::Word("NaN"),
            INFINITY => Self::Word("Infinity"),
            NEGATIVE_INFINITY => Self::Word("-Infinity"),
            _ => return Err(DecodeError::Corrupt),
        })
    }

    /// Appends its text.
    pub(crate) fn put(&self, text: &mut Vec<u8>) {
        let (negative, weight, scale, groups) = match *self {
            Self::Word(word) => return text.extend_from_slice(word.as_bytes()),
            Self::Number { negative, weight, scale, groups } => (negative, weight, scale, groups),
        };
        // Group 0 is the last before the point.
        let group = |position: i32| {
            let index = usize::try_from(weight - position).ok();
            index.and_then(|i| groups.get(i)).map_or(0, |pair| u16::from_be_bytes(*pair))
        };
        if negative {
            text.push(b'-');
        }
        push_first(text, group(weight.max(0)));
        (0..weight.max(0)).rev().for_each(|position| push_group(text, group(position)));
        if scale > 0 {
            text.push(b'.');
            let end = text.len() + scale;
            (1..).take(scale.div_ceil(4)).for_each(|position| push_group(text, group(-position)));
            text.truncate(end);
        }
    }
}

fn digits(group: u16) -> [u8; 4] {
    [1000, 100, 10, 1].map(|unit| b'0' + (group / unit % 10) as u8)
}

fn push_group(text: &mut Vec<u8>, group: u16) {
    text.extend_from_slice(&digits(group));
}

/// Without leading zeros.
fn push_first(text: &mut Vec<u8>, group: u16) {
    let digits = digits(group);
    let zeros = digits.iter().take(3).take_while(|digit| **digit == b'0').count();
    text.extend_from_slice(digits.get(zeros..).unwrap_or_default());
}
