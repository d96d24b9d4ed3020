//! Values in the server's text format.

use bytes::{BufMut, BytesMut};

use super::{
    array,
    binary::fit,
    codec::{Codec, Misfit},
    made,
    marshal::{List, Value},
};

impl Codec {
    /// The text form of what is not none; what the binary form refuses is refused here.
    pub(super) fn literal(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Timestamp, Value::Text(text)) if has_offset(text) => return Err(Misfit::Offset),
            (_, Value::Text(text)) => out.put_slice(without_null(text)?),
            (_, Value::List(list)) => self.literal_list(*list, out)?,
            (Self::Hstore, Value::Dict(dict)) => made::hstore(*dict, out)?,
            (Self::Text | Self::Jsonb | Self::Literal | Self::Foreign, Value::Dict(dict)) => {
                made::json(*dict, out);
            }
            (Self::Numeric, Value::Int(value)) => put_display(out, value),
            (Self::Numeric, Value::Float(value)) => put_float(out, *value),
            (Self::Numeric, Value::Big(big)) => {
                if big.negative {
                    out.put_u8(b'-');
                }
                out.put_slice(big.decimal().as_bytes());
            }
            (Self::Foreign, _) => return Err(Misfit::Kind),
            _ => {
                self.binary(value, &mut BytesMut::new())?;
                self.literal_of_binary(value, out)?;
            }
        }
        Ok(())
    }

    /// The text of a value whose binary form is there.
    fn literal_of_binary(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, value) {
            (_, Value::Bytes(bytes)) => {
                let prefix = if matches!(self, Self::Bytea) { "\\x" } else { "" };
                out.put_slice(prefix.as_bytes());
                bytes.iter().for_each(|byte| put_display(out, &format_args!("{byte:02x}")));
            }
            (_, Value::Bool(flag)) => out.put_u8(if *flag { b't' } else { b'f' }),
            (_, Value::Int(int)) => put_display(out, int),
            (_, Value::Big(big)) => {
                if big.negative {
                    out.put_u8(b'-');
                }
                out.put_slice(big.decimal().as_bytes());
            }
            (_, Value::Float(float)) => put_float(out, *float),
            _ => return Err(Misfit::Kind),
        }
        Ok(())
    }

    fn literal_list(&self, list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, list.items()) {
            (Self::DateTime | Self::Timestamp | Self::Interval, Some([Value::Text(_)])) => {
                list.iter().try_for_each(|text| self.literal(&text, out))
            }
            (Self::Interval, _) => interval(list, out),
            (Self::Array(element), _) => array::literal(element, list, out),
            (Self::Range(subtype), _) => made::range(subtype, list, out),
            (Self::Multirange(subtype), _) => made::multirange(subtype, list, out),
            (Self::Composite(fields), _) => made::composite(fields, list, out),
            (Self::Vector, _) => made::vector(list, out),
            (Self::Spaced(element), _) => made::numbers(element, list, b' ', out),
            (Self::Geometry(geometry), _) => geometry.literal(list, out),
            _ => Err(Misfit::Kind),
        }
    }
}

/// Months, days and microseconds, each with its own sign.
fn interval(list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    let Some([Value::Int(months), Value::Int(days), Value::Int(micros)]) = list.items() else {
        return Err(Misfit::Kind);
    };
    let (months, days) = (fit::<i32>(months)?, fit::<i32>(days)?);
    put_display(out, &format_args!("{months} mons {days} days {micros} microseconds"));
    Ok(())
}

/// Whether a moment as ISO 8601 writes it, with a `T`, is so many hours from UTC, which the server would pass over in silence.
fn has_offset(text: &str) -> bool {
    let time = text.split_once('T').map_or("", |(_, time)| time);
    let offset = time.find(['+', '-']).and_then(|at| time.get(at..)).unwrap_or_default();
    offset.bytes().any(|digit| matches!(digit, b'1'..=b'9'))
}

/// The server's texts have no null characters.
pub(super) fn without_null(text: &str) -> Result<&[u8], Misfit> {
    let bytes = text.as_bytes();
    if bytes.contains(&0) { Err(Misfit::NullCharacter) } else { Ok(bytes) }
}

pub(super) fn put_display(out: &mut BytesMut, value: &impl std::fmt::Display) {
    // Writing to a growing buffer does not fail.
    let _ = std::fmt::Write::write_fmt(out, format_args!("{value}"));
}

/// Shortest form that reads back as the same float; Postgres's words for the rest.
pub(super) fn put_float(out: &mut BytesMut, value: f64) {
    if value.is_finite() {
        put_display(out, &value);
    } else {
        let word = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        out.put_slice(word.as_bytes());
    }
}
