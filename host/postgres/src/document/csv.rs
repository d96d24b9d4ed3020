//! CSV as COPY writes it (PostgreSQL documentation, COPY, "CSV Format"): NULL is an empty field, an empty text a
//! quoted one.

use tokio_postgres::Row;

use super::{Writer, text};
use crate::PgError;

pub(super) struct Csv {
    columns: Vec<String>,
    begun: bool,
}

impl Csv {
    pub(super) fn new(columns: Vec<String>) -> Self {
        Self { columns, begun: false }
    }

    fn begin(&mut self, piece: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            line(piece, self.columns.iter().map(|name| Some(name.as_str())));
        }
    }
}

impl Writer for Csv {
    fn row(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        self.begin(piece);
        let fields: Result<Vec<_>, _> = (0..self.columns.len()).map(|column| text(row, column)).collect();
        line(piece, fields?.into_iter());
        Ok(())
    }

    fn end(&mut self, piece: &mut Vec<u8>) {
        self.begin(piece);
    }
}

fn line<'a>(piece: &mut Vec<u8>, fields: impl ExactSizeIterator<Item = Option<&'a str>>) {
    let alone = fields.len() == 1;
    for (index, value) in fields.enumerate() {
        if index > 0 {
            piece.push(b',');
        }
        if let Some(value) = value {
            field(piece, value, alone);
        }
    }
    piece.push(b'\n');
}

fn field(piece: &mut Vec<u8>, value: &str, alone: bool) {
    let special = |byte| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    // Alone on its line, `\.` would be the end of the data.
    let quoted = value.is_empty() || value.bytes().any(special) || (alone && value == "\\.");
    if !quoted {
        return piece.extend_from_slice(value.as_bytes());
    }
    piece.push(b'"');
    for byte in value.bytes() {
        if byte == b'"' {
            piece.push(b'"');
        }
        piece.push(byte);
    }
    piece.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &[Option<&str>]) -> String {
        let mut piece = Vec::new();
        line(&mut piece, fields.iter().copied());
        String::from_utf8(piece).unwrap()
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
