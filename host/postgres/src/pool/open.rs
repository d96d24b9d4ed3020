//! Opening sessions, in the background: a call that waits takes whatever comes first.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Inner,
    member::{Member, Place},
    policy::{self, Server},
};
use crate::{PgError, session::Session};

impl Inner {
    /// Opens what is wanted, as far as limits, caps and the server's health allow.
    pub(super) fn open_wanted(self: &Arc<Self>) {
        while self.count_opening() {
            if !self.take_caps() {
                self.uncount(true);
                return;
            }
            let place = Place::counted(self);
            drop(self.runtime.spawn(Arc::clone(self).open(place)));
        }
        self.try_again_later();
    }

    /// Counts one more, if one is to be opened.
    fn count_opening(&self) -> bool {
        let mut control = self.control.lock();
        let opens = !control.closed && policy::opens(self.counts(&control));
        if opens {
            control.size += 1;
            control.opening += 1;
            self.mirror(&control);
        }
        opens
    }

    /// A place under every cap, or in one's line.
    fn take_caps(self: &Arc<Self>) -> bool {
        for (taken, cap) in self.caps.iter().enumerate() {
            if !cap.take(self) {
                self.give_back(taken);
                return false;
            }
        }
        if self.starves.swap(false, Ordering::AcqRel) {
            self.caps.iter().for_each(|cap| cap.leave(self));
        }
        true
    }

    /// Whether it has a use for one more session.
    pub(super) fn wants(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0 || self.size() < self.config.limits.min_size
    }

    /// Gives back the places under the first caps. Who stands in line there is served apart: it may fail just so.
    fn give_back(&self, taken: usize) {
        for cap in self.caps.iter().take(taken) {
            cap.release();
            let cap = Arc::clone(cap);
            drop(self.runtime.spawn(async move { cap.serve() }));
        }
    }

    async fn open(self: Arc<Self>, place: Place) {
        let begun = Instant::now();
        match self.closing.run_until_cancelled(Session::connect(&self.config)).await {
            None => {}
            Some(Ok(mut session)) => {
                session.share(&self.schema);
                let member = Member::new(session, place, self.config.limits.max_lifetime, chance());
                self.hand_out(member);
                self.pump();
            }
            Some(Err(error)) => self.failed(begun, error, place),
        }
    }

    /// Notes that a session was opened.
    pub(super) fn opened(&self) {
        let mut control = self.control.lock();
        control.opening -= 1;
        control.totals.opened += 1;
        control.health.succeeded();
        control.last_error = None;
    }

    fn failed(self: &Arc<Self>, begun: Instant, error: PgError, place: Place) {
        tracing::warn!(database = %self.alias, reason = error.operator(), "no connection to postgres");
        let now = Instant::now();
        let mut control = self.control.lock();
        control.totals.failures += 1;
        control.health.failed(begun, now, is_final(&error), chance());
        control.last_error = Some(error.clone());
        let is_down = matches!(control.health.server(now, self.patience()), Server::Down { .. });
        // This one's place is the last: no session is left to wait for.
        let told = if is_down && control.size == 1 { control.queue.take_all() } else { Vec::new() };
        self.mirror(&control);
        drop(control);
        for waiter in told {
            waiter.fail(error.clone());
        }
        drop(place);
    }

    /// Sees to it that the next attempt comes when it is due, if anybody wants it.
    fn try_again_later(self: &Arc<Self>) {
        let mut control = self.control.lock();
        let wanted = control.queue.len() > 0 || control.size < self.config.limits.min_size;
        if control.timer || control.closed || control.opening > 0 || !wanted {
            return;
        }
        let Some(at) = control.health.next(Instant::now()) else { return };
        control.timer = true;
        drop(control);
        let pool = Arc::clone(self);
        drop(self.runtime.spawn(async move {
            pool.closing.run_until_cancelled(tokio::time::sleep_until(at.into())).await;
            pool.control.lock().timer = false;
            pool.pump();
        }));
    }

    pub(super) fn patience(&self) -> Duration {
        self.config.limits.checkout_timeout
    }
}

/// Whether trying again does not help: the server refused this log-in or this database, not this moment. Class 53:
/// too many connections; 55 and 57: starting, stopping; 08 and 58: trouble on the way or on its disk.
fn is_final(error: &PgError) -> bool {
    error
        .sqlstate()
        .is_some_and(|state| !["08", "53", "55", "57", "58", "XX"].iter().any(|c| state.starts_with(c)))
}

/// Any number, as likely as another.
pub(super) fn chance() -> u64 {
    RandomState::new().hash_one(0)
}
