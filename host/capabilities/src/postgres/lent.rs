//! Bodies that the host makes for a response, out of a query's rows or a COPY, without the guest.

use std::{collections::HashMap, pin::Pin};

use bytes::Bytes;
use fasterapi_postgres::PgError;
use futures::Stream;

/// A body in parts. Dropping it cancels what it comes from.
pub type LentBody = Pin<Box<dyn Stream<Item = Result<Bytes, PgError>> + Send>>;

/// What an instance's request lent so far.
#[derive(Default)]
pub(super) struct Lent {
    bodies: HashMap<u64, LentBody>,
    last: u64,
}

impl Lent {
    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }

    pub(super) fn clear(&mut self) {
        self.bodies.clear();
    }

    pub(super) fn put(&mut self, body: LentBody) -> u64 {
        self.last += 1;
        self.bodies.insert(self.last, body);
        self.last
    }

    pub(super) fn take(&mut self, number: u64) -> Option<LentBody> {
        self.bodies.remove(&number)
    }
}
