//! Objects, which the server wrote.

use tokio_postgres::Row;

use super::{Writer, text};
use crate::PgError;

/// An array of objects.
#[derive(Default)]
pub(super) struct Array {
    begun: bool,
}

impl Writer for Array {
    fn row(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        piece.push(if self.begun { b',' } else { b'[' });
        self.begun = true;
        piece.extend_from_slice(text(row, 0)?.unwrap_or("null").as_bytes());
        Ok(())
    }

    fn end(&mut self, piece: &mut Vec<u8>) {
        piece.extend_from_slice(if self.begun { b"]" } else { b"[]" });
    }
}

/// An object a line.
pub(super) struct Lines;

impl Writer for Lines {
    fn row(&mut self, row: &Row, piece: &mut Vec<u8>) -> Result<(), PgError> {
        // A json value keeps the line breaks that it was stored with: between its parts, where a space does as well.
        let object = text(row, 0)?.unwrap_or("null").bytes();
        piece.extend(object.map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        piece.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}
