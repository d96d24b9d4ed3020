//! What the calls of a connection have opened, by handle.

use std::collections::HashMap;

use fasterapi_postgres::{CopyIn, CopyOut, Document, Listener, RowStream, Transaction};

use crate::wire::Malformed;

/// Something that outlives the call which opened it. Dropping it ends it, as in a component.
#[allow(clippy::large_enum_variant, reason = "a connection holds one or two")]
pub(crate) enum Held {
    Transaction(Transaction),
    Rows(RowStream),
    CopyIn(CopyIn),
    CopyOut(CopyOut),
    Document(Document),
    Listener(Listener),
}

/// All of it.
#[derive(Default)]
pub(crate) struct Table {
    held: HashMap<u32, Held>,
    last: u32,
}

impl Table {
    /// Keeps it; the answer is the field with its handle.
    pub(crate) fn keep(&mut self, held: Held) -> Vec<u8> {
        self.last = self.last.wrapping_add(1);
        self.held.insert(self.last, held);
        self.last.to_le_bytes().to_vec()
    }

    pub(crate) fn get(&mut self, handle: u32) -> Result<&mut Held, Malformed> {
        self.held.get_mut(&handle).ok_or(Malformed)
    }

    pub(crate) fn take(&mut self, handle: u32) -> Result<Held, Malformed> {
        self.held.remove(&handle).ok_or(Malformed)
    }
}
