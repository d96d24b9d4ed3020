//! The types whose values the host writes, and their texts as the server's output functions have them.

use postgres_types::Type;

use super::{number, text, time};
use crate::rows::{DecodeError, Field, Numeric};

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    One(Scalar),
    /// An array of any number of dimensions.
    Array(Scalar),
}

/// A type that is not made of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Bytea,
}

/// The form of a date with a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dates {
    /// The server's output with DateStyle ISO: `2024-02-29 12:00:00+00`.
    Iso,
    /// In JSON: `2024-02-29T12:00:00+00:00`.
    Json,
}

impl Form {
    /// None: the server writes the type's values.
    pub(super) fn of(ty: &Type) -> Option<Self> {
        let element = match *ty {
            Type::BOOL_ARRAY => Type::BOOL,
            Type::INT2_ARRAY => Type::INT2,
            Type::INT4_ARRAY => Type::INT4,
            Type::INT8_ARRAY => Type::INT8,
            Type::FLOAT4_ARRAY => Type::FLOAT4,
            Type::FLOAT8_ARRAY => Type::FLOAT8,
            Type::NUMERIC_ARRAY => Type::NUMERIC,
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY | Type::NAME_ARRAY => Type::TEXT,
            Type::UUID_ARRAY => Type::UUID,
            Type::DATE_ARRAY => Type::DATE,
            Type::TIME_ARRAY => Type::TIME,
            Type::TIMESTAMP_ARRAY => Type::TIMESTAMP,
            Type::TIMESTAMPTZ_ARRAY => Type::TIMESTAMPTZ,
            Type::JSON_ARRAY => Type::JSON,
            Type::JSONB_ARRAY => Type::JSONB,
            Type::BYTEA_ARRAY => Type::BYTEA,
            _ => return Scalar::of(ty).map(Self::One),
        };
        Scalar::of(&element).map(Self::Array)
    }

    pub(super) const fn scalar(self) -> Scalar {
        match self {
            Self::One(scalar) | Self::Array(scalar) => scalar,
        }
    }
}

impl Scalar {
    fn of(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => Self::Text,
            Type::UUID => Self::Uuid,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::TimestampTz,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::BYTEA => Self::Bytea,
            _ => return None,
        })
    }

    /// The text of a value that is text to the server too.
    pub(super) fn as_text<'a>(self, mut field: Field<'a>) -> Option<Result<&'a str, DecodeError>> {
        match self {
            Self::Text | Self::Json => Some(text::utf8(field.rest)),
            // A version, of which there is only one, and the text.
            Self::Jsonb => Some(match field.u8() {
                Ok(1) => text::utf8(field.rest),
                _ => Err(DecodeError::Corrupt),
            }),
            _ => None,
        }
    }

    /// Appends the text of a value.
    pub(super) fn put(
        self,
        mut field: Field<'_>,
        dates: Dates,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Text | Self::Json | Self::Jsonb => {
                let text = self.as_text(field).unwrap_or(Err(DecodeError::Corrupt))?;
                out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            Self::Bytea => {
                out.extend_from_slice(b"\\x");
                text::hex(field.rest, out);
                return Ok(());
            }
            Self::Bool => out.push(if field.u8()? == 0 { b'f' } else { b't' }),
            Self::Int2 => number::int(field.i16()?, out),
            Self::Int4 => number::int(field.i32()?, out),
            Self::Int8 => number::int(field.i64()?, out),
            Self::Float4 => number::float4(f32::from_bits(field.u32()?), out),
            Self::Float8 => number::float8(field.f64()?, out),
            Self::Numeric => Numeric::read(&mut field)?.put(out),
            Self::Uuid => text::uuid(field.array()?, out),
            Self::Date => time::date(field.i32()?, out),
            Self::Time => time::time(field.i64()?, out),
            Self::Timestamp => time::timestamp(field.i64()?, dates, false, out),
            Self::TimestampTz => time::timestamp(field.i64()?, dates, true, out),
        }
        field.end()
    }
}
