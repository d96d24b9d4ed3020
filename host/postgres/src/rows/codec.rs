//! Which form of row values a type has.

use std::borrow::Cow;

use postgres_types::{Kind, Type};

use super::{Block, datetime, marshal, network, numeric, value};
use value::{DecodeError, Field};

/// How the values of a type are packed.
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
    Text,
    Char,
    Json,
    Jsonb,
    Bytea,
    Uuid,
    Bits,
    Mac,
    Inet,
    Cidr,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Array(Box<Codec>),
    /// Undecoded.
    Binary,
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
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Self::Text,
            Type::XML | Type::REFCURSOR | Type::CSTRING | Type::VOID => Self::Text,
            Type::CHAR => Self::Char,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::BYTEA => Self::Bytea,
            Type::UUID => Self::Uuid,
            Type::BIT | Type::VARBIT => Self::Bits,
            Type::MACADDR | Type::MACADDR8 => Self::Mac,
            Type::INET => Self::Inet,
            Type::CIDR => Self::Cidr,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMETZ => Self::TimeTz,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::TimestampTz,
            Type::INTERVAL => Self::Interval,
            _ => Self::of_made(ty),
        }
    }

    fn of_made(ty: &Type) -> Self {
        match ty.kind() {
            Kind::Array(element) => Self::Array(Box::new(Self::of(element))),
            Kind::Domain(base) => Self::of(base),
            Kind::Enum(_) => Self::Text,
            Kind::Simple if ty.name() == "citext" => Self::Text,
            _ => Self::Binary,
        }
    }

    /// The name of the row kind.
    pub(super) fn kind(&self) -> Cow<'static, str> {
        let kind = match self {
            Self::Numeric => "numeric",
            Self::Json | Self::Jsonb => "json",
            Self::Uuid => "uuid",
            Self::Inet => "inet",
            Self::Cidr => "cidr",
            Self::Date => "date",
            Self::Time => "time",
            Self::TimeTz => "timetz",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Interval => "interval",
            Self::Binary => "binary",
            Self::Array(element) => match element.kind() {
                Cow::Borrowed("plain") => "plain",
                kind => return format!("{kind}[]").into(),
            },
            _ => "plain",
        };
        kind.into()
    }

    /// Packs a value that is not null.
    pub(super) fn write(&self, raw: &[u8], out: &mut Block) -> Result<(), DecodeError> {
        let mut field = Field(raw);
        match self {
            Self::Bool => marshal::bool(out, field.u8()? != 0),
            Self::Int2 => marshal::i32(out, field.i16()?.into()),
            Self::Int4 => marshal::i32(out, field.i32()?),
            Self::Int8 => marshal::int(out, field.i64()?.into()),
            Self::Id4 => marshal::int(out, field.u32()?.into()),
            Self::Id8 => marshal::int(out, (field.i64()? as u64).into()),
            Self::Float4 => marshal::float(out, value::widen(f32::from_bits(field.u32()?))),
            Self::Float8 => marshal::float(out, f64::from_bits(field.i64()? as u64)),
            Self::Numeric => return numeric::write(field, out),
            Self::Text | Self::Json => return value::text(raw, out),
            Self::Char => return value::char(field.u8()?, out),
            Self::Jsonb => return value::jsonb(field, out),
            Self::Bytea | Self::Binary => marshal::bytes(out, raw),
            Self::Uuid => marshal::bytes(out, raw.first_chunk::<16>().ok_or(DecodeError)?),
            Self::Bits => return value::bits(field, out),
            Self::Mac => network::mac(raw, out),
            Self::Inet | Self::Cidr => return network::address(field, out),
            Self::Date => datetime::date(field.i32()?, out),
            Self::Time => datetime::time(field.i64()?, out),
            Self::TimeTz => datetime::time_tz(field.i64()?, field.i32()?, out),
            Self::Timestamp => datetime::timestamp(field.i64()?, false, out),
            Self::TimestampTz => datetime::timestamp(field.i64()?, true, out),
            Self::Interval => datetime::interval(field.i64()?, field.i32()?, field.i32()?, out),
            Self::Array(element) => return value::array(element, field, out),
        }
        Ok(())
    }
}
