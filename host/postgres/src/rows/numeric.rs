//! Numeric's binary form to its text (`numeric_send` and `get_str_from_var` in PostgreSQL's `numeric.c`).

use super::{
    Block, marshal,
    value::{DecodeError, Field},
};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

pub(super) fn write(mut field: Field<'_>, out: &mut Block) -> Result<(), DecodeError> {
    let count = field.i16()?;
    let weight = i32::from(field.i16()?);
    let sign = field.i16()? as u16;
    let scale = usize::try_from(field.i16()?).map_err(|_| DecodeError)?;
    let negative = match sign {
        0 => false,
        NEGATIVE => true,
        NAN => return word("NaN", out),
        INFINITY => return word("Infinity", out),
        NEGATIVE_INFINITY => return word("-Infinity", out),
        _ => return Err(DecodeError),
    };
    let count = usize::try_from(count).map_err(|_| DecodeError)?;
    let (digits, _) = field.take(count * 2)?.as_chunks::<2>();
    // Groups of four decimal digits; group 0 is the last before the point.
    let group = |position: i32| {
        let index = usize::try_from(weight - position).ok();
        index.and_then(|i| digits.get(i)).map_or(0, |pair| u16::from_be_bytes(*pair))
    };
    let mut text = String::with_capacity(8 + 4 * count + scale);
    if negative {
        text.push('-');
    }
    text.push_str(&group(weight.max(0)).to_string());
    (0..weight.max(0)).rev().for_each(|position| push_group(&mut text, group(position)));
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        (1..).take(scale.div_ceil(4)).for_each(|position| push_group(&mut text, group(-position)));
        text.truncate(end);
    }
    word(&text, out)
}

fn word(text: &str, out: &mut Block) -> Result<(), DecodeError> {
    marshal::text(out, text);
    Ok(())
}

fn push_group(text: &mut String, group: u16) {
    for unit in [1000, 100, 10, 1] {
        text.push(char::from(b'0' + (group / unit % 10) as u8));
    }
}
