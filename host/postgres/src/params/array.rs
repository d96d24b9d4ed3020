//! Lists as arrays, in binary where every element has a binary form, else as the text that `array_in` reads
//! (PostgreSQL documentation, section 8.15.2).

use bytes::{BufMut, BytesMut};

use super::{
    codec::{Codec, Element, Misfit},
    made::quote,
    marshal::{List, Value},
};

/// The server's MAXDIM.
const MAX_DIMENSIONS: usize = 6;

/// Whether `list` is sent as text: its element type has no binary form here, or one of its elements is a text for a
/// type that is none.
pub(super) fn is_literal(element: &Element, list: List<'_>) -> bool {
    match element.codec {
        Codec::Text | Codec::Jsonb => false,
        _ if !element.codec.has_binary() => true,
        _ => list.iter().any(|value| match (dimension(element, value), value) {
            (Some(inner), _) => is_literal(element, inner),
            (None, Value::Text(_) | Value::Dict(_)) => true,
            (None, _) => false,
        }),
    }
}

/// The list that `value` is, if that is a dimension of the array and not one of its elements.
fn dimension<'a>(element: &Element, value: Value<'a>) -> Option<List<'a>> {
    match value {
        Value::List(list) if !(list.tuple && element.codec.takes_tuple()) => Some(list),
        _ => None,
    }
}

/// Writes `list` in the format that [`is_literal`] tells.
pub(super) fn encode(element: &Element, list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    let (lengths, dimensions) = shape(element, list)?;
    let lengths = lengths.get(..dimensions).unwrap_or_default();
    if is_literal(element, list) {
        return literal_within(element, list, lengths, out);
    }
    let empty = lengths.contains(&0);
    out.put_i32(if empty { 0 } else { dimensions as i32 });
    let flags_at = out.len();
    out.put_i32(0);
    out.put_u32(element.oid);
    if empty {
        return check_empty(list, lengths);
    }
    for length in lengths {
        out.put_i32(i32::try_from(*length).map_err(|_| Misfit::Range)?);
        out.put_i32(1);
    }
    let mut nulls = false;
    binary(element, list, lengths, out, &mut nulls)?;
    if let Some(flags) = out.get_mut(flags_at..flags_at + 4) {
        flags.copy_from_slice(&i32::from(nulls).to_be_bytes());
    }
    Ok(())
}

/// The lengths along the first elements, and how many there are. The rest is checked against it on the way.
fn shape(element: &Element, list: List<'_>) -> Result<([usize; MAX_DIMENSIONS], usize), Misfit> {
    let mut lengths = [0; MAX_DIMENSIONS];
    let (mut next, mut dimensions) = (Some(list), 0);
    while let Some(list) = next {
        *lengths.get_mut(dimensions).ok_or(Misfit::Dimensions)? = list.len();
        dimensions += 1;
        next = list.iter().next().and_then(|value| dimension(element, value));
    }
    Ok((lengths, dimensions))
}

/// An array with an empty dimension has no elements: all its lists must agree on that.
fn check_empty(list: List<'_>, lengths: &[usize]) -> Result<(), Misfit> {
    let [length, inner @ ..] = lengths else { return Err(Misfit::Ragged) };
    if list.len() != *length {
        return Err(Misfit::Ragged);
    }
    list.iter().try_for_each(|value| match value {
        Value::List(list) => check_empty(list, inner),
        _ => Err(Misfit::Ragged),
    })
}

fn binary(
    element: &Element,
    list: List<'_>,
    lengths: &[usize],
    out: &mut BytesMut,
    nulls: &mut bool,
) -> Result<(), Misfit> {
    let [length, inner @ ..] = lengths else { return Err(Misfit::Ragged) };
    if list.len() != *length {
        return Err(Misfit::Ragged);
    }
    for value in list.iter() {
        match (dimension(element, value), value) {
            (Some(list), _) => binary(element, list, inner, out, nulls)?,
            _ if !inner.is_empty() => return Err(Misfit::Ragged),
            (None, Value::None) => {
                *nulls = true;
                out.put_i32(-1);
            }
            (None, value) => {
                let length_at = out.len();
                out.put_i32(0);
                element.codec.binary(&value, out)?;
                let length = i32::try_from(out.len() - length_at - 4).map_err(|_| Misfit::Range)?;
                if let Some(slot) = out.get_mut(length_at..length_at + 4) {
                    slot.copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }
    Ok(())
}

/// Writes `list` as text, whatever its elements are.
pub(super) fn literal(element: &Element, list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    let (lengths, dimensions) = shape(element, list)?;
    literal_within(element, list, lengths.get(..dimensions).unwrap_or_default(), out)
}

fn literal_within(
    element: &Element,
    list: List<'_>,
    lengths: &[usize],
    out: &mut BytesMut,
) -> Result<(), Misfit> {
    if lengths.contains(&0) {
        out.put_slice(b"{}");
        return check_empty(list, lengths);
    }
    let [length, inner @ ..] = lengths else { return Err(Misfit::Ragged) };
    if list.len() != *length {
        return Err(Misfit::Ragged);
    }
    let mut text = BytesMut::new();
    for (index, value) in list.iter().enumerate() {
        out.put_u8(if index == 0 { b'{' } else { element.delimiter });
        match (dimension(element, value), value) {
            (Some(list), _) => literal_within(element, list, inner, out)?,
            _ if !inner.is_empty() => return Err(Misfit::Ragged),
            (None, Value::None) => out.put_slice(b"NULL"),
            (None, value) => {
                text.clear();
                element.codec.literal(&value, &mut text)?;
                quote(&text, out);
            }
        }
    }
    out.put_u8(b'}');
    Ok(())
}
