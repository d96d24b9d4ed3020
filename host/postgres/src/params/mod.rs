//! Parameters: from a guest's block to the wire.
//!
//! A statement's [`ParamTypes`] are worked out once, when it is prepared; then each value goes straight from its place
//! in the block into the driver's buffer. What does not fit is a usage error that names `$n`, the value's kind and
//! the type, never the value; the driver sends a message only when all of it is encoded, so nothing was sent then.

mod array;
mod binary;
mod codec;
mod geometry;
mod literal;
mod made;
mod marshal;

use std::fmt;

use bytes::BytesMut;
use postgres_types::{Format, IsNull, ToSql, Type};

use self::codec::{Codec, Misfit};
pub(crate) use self::marshal::{List, Value};
use crate::PgError;

/// The parameters of one call, read from its block.
pub(crate) struct Params<'a>(Vec<Value<'a>>);

impl<'a> Params<'a> {
    /// Reads a block of at most `limit` bytes.
    pub(crate) fn read(block: &'a [u8], limit: usize) -> Result<Self, PgError> {
        if block.len() > limit {
            let size = block.len();
            let message = format!("the parameters take {size} bytes, over the limit of {limit}");
            return Err(PgError::usage(message));
        }
        marshal::read(block).map(Self).map_err(|error| PgError::usage(error.to_string()))
    }

    /// The parameters that a list within a block is.
    pub(crate) fn of(list: List<'a>) -> Self {
        Self(list.iter().collect())
    }

    pub(crate) fn values(&self) -> &[Value<'a>] {
        &self.0
    }
}

/// What a prepared statement takes.
#[derive(Debug)]
pub(crate) struct ParamTypes(Vec<ParamType>);

#[derive(Debug)]
struct ParamType {
    codec: Codec,
    name: Box<str>,
}

impl ParamTypes {
    pub(crate) fn new(types: &[Type]) -> Self {
        Self(types.iter().map(|ty| ParamType { codec: Codec::of(ty), name: sql_name(ty) }).collect())
    }

    /// Puts `params` beside their types.
    pub(crate) fn bind<'a>(
        &'a self,
        params: &'a Params<'a>,
    ) -> Result<impl ExactSizeIterator<Item = Bound<'a>>, PgError> {
        let (takes, given) = (self.0.len(), params.0.len());
        if takes != given {
            let message = format!("the statement takes {takes} parameters, {given} were given");
            return Err(PgError::usage(message));
        }
        let pairs = self.0.iter().zip(&params.0).enumerate();
        Ok(pairs.map(|(index, (ty, value))| Bound { index, ty, value }))
    }

    /// Whether `params` fit, without sending them. `scratch` is room to write in.
    pub(crate) fn check(&self, params: &Params<'_>, scratch: &mut BytesMut) -> Result<(), PgError> {
        for bound in self.bind(params)? {
            scratch.clear();
            bound.encode(scratch).map_err(|error| PgError::from(&error))?;
        }
        Ok(())
    }
}

/// `int4[]` rather than the catalogue's `_int4`.
fn sql_name(ty: &Type) -> Box<str> {
    match ty.name().strip_prefix('_') {
        Some(element) => format!("{element}[]").into(),
        None => ty.name().into(),
    }
}

/// A value on its way to the driver.
pub(crate) struct Bound<'a> {
    index: usize,
    ty: &'a ParamType,
    value: &'a Value<'a>,
}

/// Drivers log parameters: this shows none.
impl fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value.kind())
    }
}

/// A value that does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("${number}: {misfit} ({kind} for type {ty})")]
pub(crate) struct ParamError {
    number: usize,
    kind: &'static str,
    ty: Box<str>,
    misfit: Misfit,
}

impl From<&ParamError> for PgError {
    fn from(error: &ParamError) -> Self {
        match error.misfit {
            Misfit::Kind => Self::usage_hint(
                error.to_string(),
                "cast the parameter in the statement, as in `$1::int8`, or pass a value of the type",
            ),
            Misfit::Offset => Self::usage_hint(
                error.to_string(),
                "pass it in UTC, cast the parameter as in `$1::timestamptz`, or make the column a timestamptz",
            ),
            _ => Self::usage(error.to_string()),
        }
        .misfit()
    }
}

impl Bound<'_> {
    fn encode(&self, out: &mut BytesMut) -> Result<IsNull, ParamError> {
        self.ty.codec.encode(self.value, out).map_err(|misfit| {
            let (number, kind) = (self.index + 1, self.value.kind());
            ParamError { number, kind, ty: self.ty.name.clone(), misfit }
        })
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(self.encode(out)?)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        self.ty.codec.format(self.value)
    }

    postgres_types::to_sql_checked!();
}
