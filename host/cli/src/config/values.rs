//! Values with a unit, written as on the command line.

use std::{fmt::Display, str::FromStr, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de::Error};

/// `30s`, `500ms`, `5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        crate::args::duration(&text).map(Self).map_err(D::Error::custom)
    }
}

/// `64MiB`, or a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let size: ByteSize = text.parse().map_err(D::Error::custom)?;
        usize::try_from(size.as_u64()).map(Self).map_err(D::Error::custom)
    }
}

/// Whatever is written as on the command line.
pub(super) fn parsed<'de, T, D>(source: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(source)?.parse().map_err(D::Error::custom)
}
