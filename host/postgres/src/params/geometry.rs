//! Geometric values as text (PostgreSQL documentation, section 8.8): tuples of numbers and of points.

use bytes::{BufMut, BytesMut};
use postgres_types::Type;

use super::{
    binary::float,
    codec::Misfit,
    literal::put_float,
    marshal::{List, Value},
};

/// A geometric type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Geometry {
    Point,
    Line,
    /// A line segment or a box.
    Corners,
    Path,
    Polygon,
    Circle,
}

impl Geometry {
    pub(super) fn of(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::POINT => Self::Point,
            Type::LINE => Self::Line,
            Type::LSEG | Type::BOX => Self::Corners,
            Type::PATH => Self::Path,
            Type::POLYGON => Self::Polygon,
            Type::CIRCLE => Self::Circle,
            _ => return None,
        })
    }

    pub(super) fn literal(self, value: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        let (open, close) = match self {
            Self::Line => (b'{', b'}'),
            Self::Circle => (b'<', b'>'),
            Self::Path if matches!(value.items(), Some([_, Value::Bool(false)])) => (b'[', b']'),
            _ => (b'(', b')'),
        };
        out.put_u8(open);
        match self {
            Self::Point => numbers::<2>(value, out)?,
            Self::Line => numbers::<3>(value, out)?,
            Self::Corners if value.len() != 2 => return Err(Misfit::Geometry),
            Self::Corners | Self::Polygon => points(value, out)?,
            Self::Path => match value.items() {
                Some([Value::List(list), Value::Bool(_)]) => points(list, out)?,
                _ => return Err(Misfit::Geometry),
            },
            Self::Circle => {
                let [center, radius] = value.items().ok_or(Misfit::Geometry)?;
                point(&center, out)?;
                out.put_u8(b',');
                put_float(out, float(&radius)?);
            }
        }
        out.put_u8(close);
        Ok(())
    }
}

fn numbers<const N: usize>(value: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    let numbers: [_; N] = value.items().ok_or(Misfit::Geometry)?;
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        put_float(out, float(number)?);
    }
    Ok(())
}

fn points(list: List<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        point(&value, out)?;
    }
    Ok(())
}

fn point(value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
    match value {
        Value::List(list) => Geometry::Point.literal(*list, out),
        _ => Err(Misfit::Geometry),
    }
}
