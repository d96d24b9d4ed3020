//! CSV as COPY writes it (PostgreSQL documentation, COPY, "CSV Format"): NULL is an empty field, an empty text a
//! quoted one.

use super::{
    form::{Dates, Form},
    made,
};
use crate::rows::{DecodeError, Field};

/// Appends a value that is not null. `alone`: it is the only one on its line; `made`: a place to make arrays in.
pub(super) fn value(
    form: Form,
    raw: Field<'_>,
    alone: bool,
    most: usize,
    made: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    match form {
        Form::Array(element) => {
            made.clear();
            made::plain(element, raw, most.saturating_sub(out.len()), made)?;
            field(out, made, alone);
        }
        Form::One(scalar) => match scalar.as_text(raw) {
            Some(text) => field(out, text?.as_bytes(), alone),
            // Nothing in the other forms wants quotes.
            None => scalar.put(raw, Dates::Iso, out)?,
        },
    }
    Ok(())
}

/// Appends a line.
pub(super) fn line<'a>(fields: impl ExactSizeIterator<Item = Option<&'a str>>, out: &mut Vec<u8>) {
    let alone = fields.len() == 1;
    for (index, value) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if let Some(value) = value {
            field(out, value.as_bytes(), alone);
        }
    }
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, value: &[u8], alone: bool) {
    let is_special = |byte| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    // Alone on its line, `\.` would be the end of the data.
    let quoted =
        value.is_empty() || super::text::first(value, is_special).is_some() || (alone && value == b"\\.");
    if !quoted {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for byte in value {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        line(fields.iter().copied(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(written(&[Some("a"), None, Some(""), Some("b c")]), "a,,\"\",b c\n");
        assert_eq!(
            written(&[Some("a,b"), Some("say \"x\""), Some("1\n2")]),
            "\"a,b\",\"say \"\"x\"\"\",\"1\n2\"\n"
        );
        assert_eq!(written(&[Some("\\.")]), "\"\\.\"\n");
        assert_eq!(written(&[Some("\\."), Some("x")]), "\\.,x\n");
    }
}
