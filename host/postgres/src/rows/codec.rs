//! Which form of row values a type has.

use std::borrow::Cow;

use postgres_types::{Kind, Type};

use super::{
    datetime,
    field::{DecodeError, Field},
    geometry, made,
    marshal::Writer,
    network,
    numeric::Numeric,
    search, value,
};

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
    /// A version number, then text.
    Versioned,
    Char,
    Json,
    Jsonb,
    Bytea,
    Uuid,
    Bits,
    Mac,
    Lsn,
    Tid,
    Snapshot,
    Inet,
    Cidr,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Point,
    Line,
    Segment,
    Box,
    Path,
    Polygon,
    Circle,
    TsVector,
    Hstore,
    Vector,
    Array(Box<Codec>),
    Range(Box<Codec>),
    Multirange(Box<Codec>),
    /// Each field's type and codec.
    Composite(Box<[(u32, Codec)]>),
    Record,
}

impl Codec {
    /// None: only the server knows how to read the type.
    pub(super) fn of(ty: &Type) -> Option<Self> {
        Some(match *ty {
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
            Type::JSONPATH => Self::Versioned,
            Type::CHAR => Self::Char,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::BYTEA => Self::Bytea,
            Type::UUID => Self::Uuid,
            Type::BIT | Type::VARBIT => Self::Bits,
            Type::MACADDR | Type::MACADDR8 => Self::Mac,
            Type::PG_LSN => Self::Lsn,
            Type::TID => Self::Tid,
            Type::PG_SNAPSHOT | Type::TXID_SNAPSHOT => Self::Snapshot,
            Type::INET => Self::Inet,
            Type::CIDR => Self::Cidr,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMETZ => Self::TimeTz,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::TimestampTz,
            Type::INTERVAL => Self::Interval,
            Type::POINT => Self::Point,
            Type::LINE => Self::Line,
            Type::LSEG => Self::Segment,
            Type::BOX => Self::Box,
            Type::PATH => Self::Path,
            Type::POLYGON => Self::Polygon,
            Type::CIRCLE => Self::Circle,
            Type::TS_VECTOR => Self::TsVector,
            Type::RECORD => Self::Record,
            Type::RECORD_ARRAY => Self::Array(Box::new(Self::Record)),
            _ => return Self::of_made(ty),
        })
    }

    fn of_made(ty: &Type) -> Option<Self> {
        let part = |part| Self::of(part).map(Box::new);
        match ty.kind() {
            Kind::Array(element) => part(element).map(Self::Array),
            Kind::Range(subtype) => part(subtype).map(Self::Range),
            Kind::Multirange(subtype) => part(subtype).map(Self::Multirange),
            Kind::Domain(base) => Self::of(base),
            Kind::Enum(_) => Some(Self::Text),
            Kind::Composite(fields) => {
                let field =
                    |field: &postgres_types::Field| Some((field.type_().oid(), Self::of(field.type_())?));
                fields.iter().map(field).collect::<Option<_>>().map(Self::Composite)
            }
            Kind::Simple => Self::of_extension(ty),
            _ => None,
        }
    }

    /// Types of extensions have no OID of their own: they are known by their names.
    fn of_extension(ty: &Type) -> Option<Self> {
        match ty.name() {
            _ if Type::from_oid(ty.oid()).is_some() => None,
            "citext" => Some(Self::Text),
            "ltree" | "lquery" | "ltxtquery" => Some(Self::Versioned),
            "hstore" => Some(Self::Hstore),
            "vector" => Some(Self::Vector),
            _ => None,
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
            Self::Point => "point",
            Self::Line => "line",
            Self::Segment => "lseg",
            Self::Box => "box",
            Self::Path => "path",
            Self::Polygon => "polygon",
            Self::Circle => "circle",
            Self::Range(_) => "range",
            Self::Multirange(_) => "multirange",
            Self::Composite(_) => "composite",
            Self::Record => "record",
            Self::Array(element) => match element.kind() {
                Cow::Borrowed("plain") => "plain",
                kind => return format!("{kind}[]").into(),
            },
            _ => "plain",
        };
        kind.into()
    }

    /// Packs a value that is not null.
    pub(super) fn write(&self, mut field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
        match self {
            Self::Text | Self::Json => return value::text(field.rest, out),
            Self::Bytea => {
                out.blob(field.rest);
                return Ok(());
            }
            Self::Mac => return network::mac(field.rest, out),
            Self::Bool => out.bool(field.u8()? != 0),
            Self::Int2 => out.i32(field.i16()?.into()),
            Self::Int4 => out.i32(field.i32()?),
            Self::Int8 => out.int(field.i64()?.into()),
            Self::Id4 => out.int(field.u32()?.into()),
            Self::Id8 => out.int((field.i64()? as u64).into()),
            Self::Float4 => out.float(value::widen(f32::from_bits(field.u32()?))),
            Self::Float8 => out.float(field.f64()?),
            Self::Uuid => out.blob(&field.array::<16>()?),
            Self::Date => datetime::date(field.i32()?, out),
            Self::Time => datetime::time(field.i64()?, out),
            Self::TimeTz => datetime::time_tz(field.i64()?, field.i32()?, out),
            Self::Timestamp => datetime::timestamp(field.i64()?, false, out),
            Self::TimestampTz => datetime::timestamp(field.i64()?, true, out),
            Self::Interval => datetime::interval(field.i64()?, field.i32()?, field.i32()?, out),
            Self::Numeric => {
                let value = Numeric::read(&mut field)?;
                out.ascii(|text| value.put(text));
            }
            Self::Inet | Self::Cidr => network::address(&mut field, out)?,
            Self::Lsn => value::lsn(field.i64()? as u64, out),
            Self::Tid => value::tid(field.u32()?, field.i16()? as u16, out),
            Self::Point => geometry::numbers(2, &mut field, out)?,
            Self::Line => geometry::numbers(3, &mut field, out)?,
            Self::Segment | Self::Box => geometry::points(2, &mut field, out)?,
            Self::Path => geometry::path(&mut field, out)?,
            Self::Polygon => geometry::polygon(&mut field, out)?,
            Self::Circle => geometry::circle(&mut field, out)?,
            _ => return self.write_sized(field, out),
        }
        field.end()
    }

    /// Types of which each value tells its own form.
    fn write_sized(&self, field: Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
        match self {
            Self::Array(element) => made::array(element, field, out),
            Self::Range(subtype) => made::range(subtype, field, out),
            Self::Multirange(subtype) => made::multirange(subtype, field, out),
            Self::Composite(fields) => made::composite(fields, field, out),
            Self::Record => made::record(field, out),
            Self::Hstore => made::hstore(field, out),
            Self::Vector => made::vector(field, out),
            Self::Jsonb | Self::Versioned => value::versioned(field, out),
            Self::Char => value::char(field, out),
            Self::Bits => value::bits(field, out),
            Self::Snapshot => value::snapshot(field, out),
            Self::TsVector => search::vector(field, out),
            // All others are written by `write`.
            _ => Err(DecodeError::Corrupt),
        }
    }
}
