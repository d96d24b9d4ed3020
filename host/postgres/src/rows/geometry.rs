//! Geometric types (PostgreSQL documentation, section 8.8; `geo_ops.c` for the binary forms). All numbers are float8.

use super::{
    field::{DecodeError, Field},
    marshal::Writer,
};

/// A tuple of `count` numbers: a point has two, a line three.
pub(super) fn numbers(count: usize, field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    out.tuple(count);
    for _ in 0..count {
        out.float(field.f64()?);
    }
    Ok(())
}

/// A tuple of `count` points: a line segment and a box have two.
pub(super) fn points(count: usize, field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    out.tuple(count);
    (0..count).try_for_each(|_| numbers(2, field, out))
}

pub(super) fn polygon(field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let count = field.count(16)?;
    points(count, field, out)
}

/// The points, and whether the last is joined to the first.
pub(super) fn path(field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    let closed = field.u8()? != 0;
    out.tuple(2);
    polygon(field, out)?;
    out.bool(closed);
    Ok(())
}

/// The center and the radius.
pub(super) fn circle(field: &mut Field<'_>, out: &mut Writer) -> Result<(), DecodeError> {
    out.tuple(2);
    numbers(2, field, out)?;
    out.float(field.f64()?);
    Ok(())
}
