//! One value into the wire's form, by the type that the server inferred.

use bytes::{BufMut, BytesMut};
use postgres_types::{Format, IsNull, Kind, Type};

use super::{array, marshal::Value};
use crate::rows;

/// How the values of a type are sent.
#[derive(Debug)]
pub(super) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Bytea,
    Uuid,
    /// Types whose binary form is their text.
    Text,
    Jsonb,
    /// Types that take a text only, in the server's text format.
    Literal,
    /// Types whose rows go out as undecoded bytes: they take the same bytes back.
    Opaque,
    Array(Box<Element>),
}

/// The element type of an array.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) codec: Codec,
    pub(super) oid: u32,
    /// What stands between elements in text: `,` for all types but `box`.
    pub(super) delimiter: u8,
}

/// How a value does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error("the value is of the wrong kind")]
    Kind,
    #[error("the value is out of range")]
    Range,
    #[error("a uuid takes 16 bytes")]
    UuidLength,
    #[error("a text with a null character cannot be sent")]
    NullCharacter,
    #[error("the lists of an array are not of equal length and depth")]
    Ragged,
    #[error("an array has at most 6 dimensions")]
    Dimensions,
}

impl Codec {
    pub(super) fn of(ty: &Type) -> Self {
        match *ty {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::OID => Self::Oid,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::BYTEA => Self::Bytea,
            Type::UUID => Self::Uuid,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON => Self::Text,
            Type::JSONB => Self::Jsonb,
            // Their input wants a lower bound of 0: left to text.
            Type::INT2_VECTOR | Type::OID_VECTOR => Self::Literal,
            _ => Self::of_made(ty),
        }
    }

    fn of_made(ty: &Type) -> Self {
        match ty.kind() {
            Kind::Array(element) => Self::Array(Box::new(Element {
                codec: Self::of(element),
                oid: element.oid(),
                delimiter: if *element == Type::BOX { b';' } else { b',' },
            })),
            Kind::Domain(base) => Self::of(base),
            Kind::Enum(_) => Self::Text,
            _ if ty.name() == "citext" => Self::Text,
            _ if rows::is_opaque(ty) => Self::Opaque,
            _ => Self::Literal,
        }
    }

    pub(super) fn format(&self, value: &Value<'_>) -> Format {
        match (self, value) {
            (_, Value::Text(_)) | (Self::Numeric, _) => Format::Text,
            (Self::Array(element), Value::List(list)) if array::is_literal(element, *list) => Format::Text,
            _ => Format::Binary,
        }
    }

    /// Writes `value` in the format that [`Codec::format`] tells.
    pub(super) fn encode(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<IsNull, Misfit> {
        match (self, value) {
            (_, Value::None) => return Ok(IsNull::Yes),
            (_, Value::Text(text)) => out.put_slice(without_null(text)?.as_bytes()),
            (Self::Numeric, _) => self.literal(value, out)?,
            (Self::Array(element), Value::List(list)) => array::encode(element, *list, out)?,
            _ => self.binary(value, out)?,
        }
        Ok(IsNull::No)
    }

    /// The binary form of what is neither none nor a list.
    pub(super) fn binary(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Bool, Value::Bool(value)) => out.put_u8(u8::from(*value)),
            (Self::Int2, Value::Int(value)) => out.put_i16(fit(*value)?),
            (Self::Int4, Value::Int(value)) => out.put_i32(fit(*value)?),
            (Self::Int8, Value::Int(value)) => out.put_i64(*value),
            (Self::Oid, Value::Int(value)) => out.put_u32(fit(*value)?),
            (Self::Int2 | Self::Int4 | Self::Int8 | Self::Oid, Value::Big(_)) => return Err(Misfit::Range),
            (Self::Float4, Value::Float(_) | Value::Int(_) | Value::Big(_)) => {
                out.put_f32(narrow(float(value)?)?);
            }
            (Self::Float8, Value::Float(_) | Value::Int(_) | Value::Big(_)) => out.put_f64(float(value)?),
            (Self::Uuid, Value::Bytes(bytes)) if bytes.len() != 16 => return Err(Misfit::UuidLength),
            (Self::Bytea | Self::Uuid | Self::Opaque, Value::Bytes(bytes)) => out.put_slice(bytes),
            (Self::Text, Value::Text(text)) => out.put_slice(without_null(text)?.as_bytes()),
            (Self::Jsonb, Value::Text(text)) => {
                // The version of jsonb's binary form.
                out.put_u8(1);
                out.put_slice(without_null(text)?.as_bytes());
            }
            _ => return Err(Misfit::Kind),
        }
        Ok(())
    }

    /// The text form of what is neither none nor a list; what the binary form refuses is refused here.
    pub(super) fn literal(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, value) {
            (_, Value::Text(text)) => out.put_slice(without_null(text)?.as_bytes()),
            (Self::Numeric, Value::Int(value)) => put_display(out, value),
            (Self::Numeric, Value::Big(big)) => {
                if big.negative {
                    out.put_u8(b'-');
                }
                out.put_slice(big.decimal().as_bytes());
            }
            (Self::Numeric, Value::Float(value)) => put_float(out, *value),
            (Self::Bytea | Self::Uuid, Value::Bytes(bytes)) => {
                self.binary(value, &mut BytesMut::new())?;
                let prefix = if matches!(self, Self::Bytea) { "\\x" } else { "" };
                out.put_slice(prefix.as_bytes());
                bytes.iter().for_each(|byte| put_display(out, &format_args!("{byte:02x}")));
            }
            (Self::Opaque, Value::Bytes(_)) => return Err(Misfit::Kind),
            (_, Value::Bool(flag)) => {
                self.binary(value, &mut BytesMut::new())?;
                out.put_u8(if *flag { b't' } else { b'f' });
            }
            (_, Value::Int(int)) => {
                self.binary(value, &mut BytesMut::new())?;
                put_display(out, int);
            }
            (_, Value::Float(float)) => {
                self.binary(value, &mut BytesMut::new())?;
                put_float(out, *float);
            }
            _ => return Err(Misfit::Kind),
        }
        Ok(())
    }
}

fn fit<T: TryFrom<i64>>(value: i64) -> Result<T, Misfit> {
    T::try_from(value).map_err(|_| Misfit::Range)
}

/// A number as float8; an int only if that holds it exactly.
fn float(value: &Value<'_>) -> Result<f64, Misfit> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => {
            let float = *value as f64;
            if float as i128 == i128::from(*value) { Ok(float) } else { Err(Misfit::Range) }
        }
        Value::Big(big) => {
            let decimal = big.decimal();
            let float: f64 = decimal.parse().map_err(|_| Misfit::Range)?;
            let exact = float.is_finite() && format!("{float:.0}") == decimal;
            if exact { Ok(if big.negative { -float } else { float }) } else { Err(Misfit::Range) }
        }
        _ => Err(Misfit::Kind),
    }
}

/// Rounds to float4, as the server would; what only overflow makes infinite is out of range.
fn narrow(value: f64) -> Result<f32, Misfit> {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() { Err(Misfit::Range) } else { Ok(narrow) }
}

fn without_null(text: &str) -> Result<&str, Misfit> {
    if text.as_bytes().contains(&0) { Err(Misfit::NullCharacter) } else { Ok(text) }
}

fn put_display(out: &mut BytesMut, value: &impl std::fmt::Display) {
    // Writing to a growing buffer does not fail.
    let _ = std::fmt::Write::write_fmt(out, format_args!("{value}"));
}

/// Shortest form that reads back as the same float; Postgres's words for the rest.
fn put_float(out: &mut BytesMut, value: f64) {
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
