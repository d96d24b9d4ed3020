//! Values as `to_json` writes them (`datum_to_json_internal` in PostgreSQL's `json.c`).

use super::{
    form::{Dates, Form, Scalar},
    made, text,
};
use crate::rows::{DecodeError, Field};

/// Appends a value. `most`: see [`made`].
pub(super) fn value(form: Form, field: Field<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match form {
        Form::One(one) => scalar(one, field, out),
        Form::Array(element) => made::json(element, field, most, out),
    }
}

pub(super) fn scalar(scalar: Scalar, mut field: Field<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match scalar {
        Scalar::Int2 | Scalar::Int4 | Scalar::Int8 | Scalar::Json | Scalar::Jsonb => {
            return scalar.put(field, Dates::Json, out);
        }
        Scalar::Bool => {
            out.extend_from_slice(if field.u8()? == 0 { b"false" } else { b"true" });
            return field.end();
        }
        Scalar::Float4 | Scalar::Float8 | Scalar::Numeric => {
            let start = out.len();
            scalar.put(field, Dates::Json, out)?;
            if out.get(start..).is_some_and(is_word) {
                out.insert(start, b'"');
                out.push(b'"');
            }
            return Ok(());
        }
        _ => {}
    }
    out.push(b'"');
    match scalar {
        Scalar::Text => text::escape(text::utf8(field.rest)?, out),
        Scalar::Bytea => {
            out.extend_from_slice(b"\\\\x");
            text::hex(field.rest, out);
        }
        // Nothing in these forms is escaped.
        _ => scalar.put(field, Dates::Json, out)?,
    }
    out.push(b'"');
    Ok(())
}

/// NaN and the infinities are no numbers in JSON.
fn is_word(number: &[u8]) -> bool {
    matches!(number, [b'N' | b'I', ..] | [b'-', b'I', ..])
}
