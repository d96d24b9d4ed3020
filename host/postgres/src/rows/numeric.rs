//! Numeric's binary form to its text (`numeric_send` and `get_str_from_var` in PostgreSQL's `numeric.c`).

use super::{
    field::{DecodeError, Field},
    marshal::Writer,
};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

pub(super) fn write(field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.i16()?;
    let weight = i32::from(field.i16()?);
    let sign = field.i16()? as u16;
    let scale = usize::try_from(field.i16()?).map_err(|_| DecodeError::Corrupt)?;
    let count = usize::try_from(count).map_err(|_| DecodeError::Corrupt)?;
    let (digits, _) = field.take(count * 2)?.as_chunks::<2>();
    match sign {
        0 | NEGATIVE => {}
        NAN => return word("NaN", out),
        INFINITY => return word("Infinity", out),
        NEGATIVE_INFINITY => return word("-Infinity", out),
        _ => return Err(DecodeError::Corrupt),
    }
    // Groups of four decimal digits; group 0 is the last before the point.
    let group = |position: i32| {
        let index = usize::try_from(weight - position).ok();
        index.and_then(|i| digits.get(i)).map_or(0, |pair| u16::from_be_bytes(*pair))
    };
    out.ascii(|text| {
        if sign == NEGATIVE {
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
    });
    Ok(())
}

fn word(text: &str, out: &mut Writer) -> Result<(), DecodeError> {
    out.text(text);
    Ok(())
}

fn push_group(text: &mut Vec<u8>, group: u16) {
    text.extend([1000, 100, 10, 1].map(|unit| b'0' + (group / unit % 10) as u8));
}

/// Without leading zeros.
fn push_first(text: &mut Vec<u8>, group: u16) {
    let units = [1000, 100, 10, 1].into_iter().skip_while(|unit| *unit > 1 && group < *unit);
    text.extend(units.map(|unit| b'0' + (group / unit % 10) as u8));
}
