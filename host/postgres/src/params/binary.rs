//! Values in the server's binary format, for the types where it is simple.

use bytes::{BufMut, BytesMut};

use super::{
    codec::{Codec, Misfit},
    marshal::Value,
};

impl Codec {
    /// The binary form of what is neither none nor a list.
    pub(super) fn binary(&self, value: &Value<'_>, out: &mut BytesMut) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Bool, Value::Bool(value)) => out.put_u8(u8::from(*value)),
            (Self::Int2, Value::Int(value)) => out.put_i16(fit(*value)?),
            (Self::Int4, Value::Int(value)) => out.put_i32(fit(*value)?),
            (Self::Int8, Value::Int(value)) => out.put_i64(*value),
            (Self::Id4, Value::Int(value)) => out.put_u32(fit(*value)?),
            (Self::Id8, Value::Int(value)) => out.put_u64(fit(*value)?),
            (Self::Id8, Value::Big(big)) if !big.negative => {
                out.put_u64(big.decimal().parse().map_err(|_| Misfit::Range)?);
            }
            (Self::Int2 | Self::Int4 | Self::Int8 | Self::Id4 | Self::Id8, Value::Big(_)) => {
                return Err(Misfit::Range);
            }
            (Self::Float4, Value::Float(_) | Value::Int(_) | Value::Big(_)) => {
                out.put_f32(narrow(float(value)?)?);
            }
            (Self::Float8, Value::Float(_) | Value::Int(_) | Value::Big(_)) => out.put_f64(float(value)?),
            (Self::Uuid, Value::Bytes(bytes)) if bytes.len() != 16 => return Err(Misfit::UuidLength),
            (Self::Bytea | Self::Uuid | Self::Foreign, Value::Bytes(bytes)) => out.put_slice(bytes),
            (Self::Text, Value::Text(_) | Value::Dict(_)) => self.literal(value, out)?,
            (Self::Jsonb, Value::Text(_) | Value::Dict(_)) => {
                // The version of jsonb's binary form.
                out.put_u8(1);
                self.literal(value, out)?;
            }
            _ => return Err(Misfit::Kind),
        }
        Ok(())
    }
}

pub(super) fn fit<T: TryFrom<i64>>(value: i64) -> Result<T, Misfit> {
    T::try_from(value).map_err(|_| Misfit::Range)
}

/// A number as float8; an int only if that holds it exactly.
pub(super) fn float(value: &Value<'_>) -> Result<f64, Misfit> {
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
