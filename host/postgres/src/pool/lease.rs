//! A session for one holder alone.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::{Inner, member::Member};
use crate::{PgError, PgErrorKind, session::Session, statistics::Observation};

/// A session on lease. Dropping it gives it back: at once when it is clean, else once it has been cleaned.
pub(crate) struct Lease {
    /// There until the end.
    member: Option<Box<Member>>,
    pool: Arc<Inner>,
    /// The call that holds it.
    observation: Option<Observation>,
}

impl Lease {
    pub(super) fn new(member: Box<Member>, pool: &Arc<Inner>) -> Self {
        Self { member: Some(member), pool: Arc::clone(pool), observation: None }
    }

    /// Ends it without giving the session back.
    pub(super) fn into_member(mut self) -> Option<Box<Member>> {
        self.member.take()
    }

    /// Has the call that holds it observed to its end.
    pub(crate) fn observe(&mut self, observation: Option<Observation>) {
        let moved = self.moved();
        self.observation = observation.map(|mut call| {
            call.has_session(moved);
            call
        });
    }

    /// The call that is being observed.
    pub(crate) const fn observation(&mut self) -> &mut Option<Observation> {
        &mut self.observation
    }

    /// Whether the session broke before anything was sent since its count of bytes was `written`.
    pub(crate) fn died_unsent<T>(&self, written: u64, result: &Result<T, PgError>) -> bool {
        let broke = result.as_ref().is_err_and(|error| error.kind == PgErrorKind::Connection);
        broke && self.is_closed() && self.written() == written
    }
}

#[allow(clippy::expect_used, reason = "the session is taken only where the lease ends")]
impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.member.as_deref().expect("a lease has its session")
    }
}

#[allow(clippy::expect_used, reason = "the session is taken only where the lease ends")]
impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        self.member.as_deref_mut().expect("a lease has its session")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(member) = self.member.take() {
            if let Some(call) = self.observation.take() {
                call.end(member.moved(), !member.is_settled());
            }
            self.pool.take_back(member);
        }
    }
}
