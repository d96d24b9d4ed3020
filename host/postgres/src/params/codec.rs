//! How a value goes onto the wire, by the type that the server inferred.

use bytes::BytesMut;
use postgres_types::{Format, IsNull, Kind, Type};

use super::{array, geometry::Geometry, marshal::Value};
use crate::rows;

/// How the values of a type are sent. What has no binary form here goes as text, which the server parses.
#[derive(Debug)]
pub(super) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    /// Unsigned, 32 bits.
    Id4,
    /// Unsigned, 64 bits.
    Id8,
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
    /// Types that only the server can read: they take bytes too, in a binary format that is theirs.
    Foreign,
    /// Dates and times: what Python cannot hold comes as a tuple of its text.
    DateTime,
    /// The same without a time zone.
    Timestamp,
    Interval,
    Geometry(Geometry),
    Hstore,
    /// pgvector's.
    Vector,
    /// Arrays that begin at 0 and are written without braces: int2vector and oidvector.
    Spaced(Box<Codec>),
    Array(Box<Element>),
    Range(Box<Codec>),
    Multirange(Box<Codec>),
    Composite(Box<[Codec]>),
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
    #[error("the type keeps no offset from UTC")]
    Offset,
    #[error("a text with a null character cannot be sent")]
    NullCharacter,
    #[error("the lists of an array are not of equal length and depth")]
    Ragged,
    #[error("an array has at most 6 dimensions")]
    Dimensions,
    #[error("the composite type has {0} fields")]
    Fields(usize),
    #[error("a range is a lower bound, an upper bound and `[]`, `[)`, `(]` or `()`; or three nones")]
    RangeForm,
    #[error("the value has not the parts of its geometric type")]
    Geometry,
}

impl Codec {
    pub(super) fn of(ty: &Type) -> Self {
        match *ty {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::OID | Type::XID | Type::CID => Self::Id4,
            Type::REGPROC | Type::REGPROCEDURE | Type::REGOPER | Type::REGOPERATOR => Self::Id4,
            Type::REGCLASS | Type::REGTYPE | Type::REGCONFIG | Type::REGDICTIONARY => Self::Id4,
            Type::REGNAMESPACE | Type::REGROLE | Type::REGCOLLATION => Self::Id4,
            Type::XID8 => Self::Id8,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::BYTEA => Self::Bytea,
            Type::UUID => Self::Uuid,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON => Self::Text,
            Type::JSONB => Self::Jsonb,
            Type::DATE | Type::TIME | Type::TIMETZ | Type::TIMESTAMPTZ => Self::DateTime,
            Type::TIMESTAMP => Self::Timestamp,
            Type::INTERVAL => Self::Interval,
            Type::INT2_VECTOR => Self::Spaced(Box::new(Self::Int2)),
            Type::OID_VECTOR => Self::Spaced(Box::new(Self::Id4)),
            _ => Geometry::of(ty).map_or_else(|| Self::of_made(ty), Self::Geometry),
        }
    }

    fn of_made(ty: &Type) -> Self {
        let part = |part| Box::new(Self::of(part));
        match ty.kind() {
            Kind::Array(element) => Self::Array(Box::new(Element {
                codec: Self::of(element),
                oid: element.oid(),
                delimiter: if *element == Type::BOX { b';' } else { b',' },
            })),
            Kind::Domain(base) => Self::of(base),
            Kind::Enum(_) => Self::Text,
            Kind::Range(subtype) => Self::Range(part(subtype)),
            Kind::Multirange(subtype) => Self::Multirange(part(subtype)),
            Kind::Composite(fields) => {
                Self::Composite(fields.iter().map(|field| Self::of(field.type_())).collect())
            }
            _ if rows::is_foreign(ty) => Self::Foreign,
            _ if Type::from_oid(ty.oid()).is_some() => Self::Literal,
            _ => match ty.name() {
                "citext" => Self::Text,
                "hstore" => Self::Hstore,
                "vector" => Self::Vector,
                _ => Self::Literal,
            },
        }
    }

    /// Whether values of the type that are no texts are sent in the binary format.
    pub(super) fn has_binary(&self) -> bool {
        use Codec::{Bool, Bytea, Float4, Float8, Foreign, Id4, Id8, Int2, Int4, Int8, Jsonb, Text, Uuid};
        matches!(
            self,
            Bool | Int2 | Int4 | Int8 | Id4 | Id8 | Float4 | Float8 | Bytea | Uuid | Text | Jsonb | Foreign
        )
    }

    /// Whether a tuple is one value of the type.
    pub(super) fn takes_tuple(&self) -> bool {
        use Codec::{Composite, DateTime, Geometry, Interval, Multirange, Range, Timestamp};
        matches!(
            self,
            Composite(_) | DateTime | Timestamp | Geometry(_) | Interval | Multirange(_) | Range(_)
        )
    }

    pub(super) fn format(&self, value: &Value<'_>) -> Format {
        let text = match (self, value) {
            (_, Value::Text(_) | Value::Dict(_)) => true,
            (Self::Array(element), Value::List(list)) => array::is_literal(element, *list),
            _ => !self.has_binary(),
        };
        if text { Format::Text } else { Format::Binary }
    }

    /// Writes `value` in the format that [`Codec::format`] tells.
    pub(super) fn encode(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<IsNull, Misfit> {
        match (self, value) {
            (_, Value::None) => return Ok(IsNull::Yes),
            (Self::Array(element), Value::List(list)) => array::encode(element, *list, out)?,
            _ => match self.format(value) {
                Format::Text => self.literal(value, out)?,
                Format::Binary => self.binary(value, out)?,
            },
        }
        Ok(IsNull::No)
    }
}
