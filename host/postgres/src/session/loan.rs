//! A lease for longer than one call, and where it goes back to.

use std::ops::{Deref, DerefMut};

use tokio::sync::oneshot;

use super::Session;
use crate::pool::Lease;

/// A session on loan. Dropping it gives the session back: to the pool, or to the transaction that lent it.
pub(crate) struct Loan {
    /// There until the drop.
    lease: Option<Lease>,
    home: Option<oneshot::Sender<Lease>>,
}

impl Loan {
    /// Of a lease that goes back to its pool.
    pub(crate) fn own(lease: Lease) -> Self {
        Self { lease: Some(lease), home: None }
    }

    /// Of a lease that is waited for. When nobody waits any more it goes back to its pool.
    pub(crate) fn lent(lease: Lease) -> (Self, oneshot::Receiver<Lease>) {
        let (home, back) = oneshot::channel();
        (Self { lease: Some(lease), home: Some(home) }, back)
    }
}

#[allow(clippy::expect_used, reason = "the lease is taken only where the loan ends")]
impl Deref for Loan {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.lease.as_ref().expect("a loan has its lease")
    }
}

#[allow(clippy::expect_used, reason = "the lease is taken only where the loan ends")]
impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Session {
        self.lease.as_mut().expect("a loan has its lease")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(lease), Some(home)) = (self.lease.take(), self.home.take()) {
            // An answer is the lease itself, which goes to its pool here.
            let _ = home.send(lease);
        }
    }
}
