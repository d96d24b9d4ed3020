//! Calls that wait for a session, first come, first served.
//!
//! A waiting call that is dropped leaves the line; what it was just given goes back with it, and so to the next.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::{Instant, timeout_at},
};

use super::{Inner, lease::Lease};
use crate::PgError;

/// What a waiting call gets.
pub(super) type Given = Result<Lease, PgError>;

/// The line.
#[derive(Default)]
pub(super) struct Queue {
    next: u64,
    waiters: BTreeMap<u64, Sender<Given>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn pop(&mut self) -> Option<Sender<Given>> {
        self.waiters.pop_first().map(|(_, waiter)| waiter)
    }

    /// Everyone; to be told why, or by the closing of their channels that the pool closes.
    pub(super) fn take_all(&mut self) -> Vec<Sender<Given>> {
        std::mem::take(&mut self.waiters).into_values().collect()
    }

    /// Takes the last place in line.
    pub(super) fn join(&mut self, pool: &Arc<Inner>) -> Turn {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.next;
        self.next += 1;
        self.waiters.insert(ticket, sender);
        Turn { ticket, receiver, pool: Arc::clone(pool) }
    }

    fn leave(&mut self, ticket: u64) {
        self.waiters.remove(&ticket);
    }
}

/// A place in line. Dropping it leaves the line.
pub(super) struct Turn {
    ticket: u64,
    receiver: Receiver<Given>,
    pool: Arc<Inner>,
}

impl Turn {
    /// What comes until `deadline`; then none. An error without words: the pool closes.
    pub(super) async fn wait(mut self, deadline: Instant) -> Option<Result<Given, ()>> {
        let given = match timeout_at(deadline, &mut self.receiver).await {
            Ok(given) => Some(given),
            Err(_) => {
                self.leave();
                // It may have come at this very moment.
                self.receiver.try_recv().ok().map(Ok)
            }
        };
        given.map(|given| given.map_err(drop))
    }

    fn leave(&self) {
        self.pool.in_line(|queue| queue.leave(self.ticket));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}
