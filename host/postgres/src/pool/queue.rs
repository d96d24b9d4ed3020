//! Calls that wait for a session, first come, first served.
//!
//! A waiting call that is dropped leaves the line; what it was just given goes back with it, and so to the next.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::timeout_at,
};

use super::{Inner, lease::Lease};
use crate::{
    PgError,
    ride::{Carried, Passage, Told},
    rows::Block,
    statistics::Moved,
};

/// What a waiting call gets.
pub(super) type Given<T> = Result<T, PgError>;

/// One who waits.
pub(super) enum Waiter {
    /// For a session alone.
    Lease(Sender<Given<Lease>>),
    /// For a session, or a place on one.
    Rider(Rider),
}

/// A call that may share a session.
pub(crate) struct Rider {
    pub(crate) passage: Arc<Passage>,
    told: Sender<Given<Told>>,
}

impl Rider {
    pub(super) fn new(passage: Arc<Passage>, told: Sender<Given<Told>>) -> Self {
        Self { passage, told }
    }

    /// Whether nobody waits for its answer any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.told.is_closed()
    }

    /// Waits until nobody does.
    pub(crate) async fn gone(&mut self) {
        self.told.closed().await;
    }

    /// Gives it its answer, with what was received for it.
    pub(crate) fn answer(self, result: Result<Block, PgError>, received: Moved) {
        let errors = u64::from(result.is_err());
        let moved = Moved { sent: self.passage.params.len() as u64, errors, ..received };
        let boarded = self.passage.boarded();
        self.tell(Told::Answer(Carried { result, moved, boarded }));
    }

    pub(crate) fn tell(self, told: Told) {
        // Who is gone needs no answer.
        let _ = self.told.send(Ok(told));
    }
}

impl Waiter {
    /// Gives it a session; gives that back when nobody waits any more.
    pub(super) fn give(self, lease: Lease) -> Option<Lease> {
        match self {
            Self::Lease(waiter) => waiter.send(Ok(lease)).err()?.ok(),
            Self::Rider(rider) => match rider.told.send(Ok(Told::Lease(lease))) {
                Err(Ok(Told::Lease(back))) => Some(back),
                _ => None,
            },
        }
    }

    pub(super) fn fail(self, error: PgError) {
        // Who is gone needs no answer.
        match self {
            Self::Lease(waiter) => drop(waiter.send(Err(error))),
            Self::Rider(rider) => drop(rider.told.send(Err(error))),
        }
    }
}

/// The line.
#[derive(Default)]
pub(super) struct Queue {
    next: u64,
    waiters: BTreeMap<u64, Waiter>,
    riders: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// How many of them may share a session.
    pub(super) const fn riders(&self) -> usize {
        self.riders
    }

    /// How many of them, counted up to `most`, have nobody else before them.
    pub(super) fn riders_in_front(&self, most: usize) -> usize {
        let front = self.waiters.values().take(most);
        front.take_while(|waiter| matches!(waiter, Waiter::Rider(_))).count()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let (_, waiter) = self.waiters.pop_first()?;
        self.uncount(&waiter);
        Some(waiter)
    }

    /// Up to `most` riders, as far as nobody else is before them.
    pub(super) fn pop_riders(&mut self, most: usize) -> Vec<Rider> {
        let mut riders = Vec::new();
        while riders.len() < most
            && let Some(first) = self.waiters.first_entry()
            && matches!(first.get(), Waiter::Rider(_))
            && let Waiter::Rider(rider) = first.remove()
        {
            riders.push(rider);
        }
        self.riders -= riders.len();
        riders
    }

    /// Everyone; to be told why, or by the closing of their channels that the pool closes.
    pub(super) fn take_all(&mut self) -> Vec<Waiter> {
        self.riders = 0;
        std::mem::take(&mut self.waiters).into_values().collect()
    }

    /// Takes the last place in line.
    pub(super) fn join<T>(
        &mut self,
        pool: &Arc<Inner>,
        waiter: impl FnOnce(Sender<Given<T>>) -> Waiter,
    ) -> Turn<T> {
        let (sender, receiver) = oneshot::channel();
        let (ticket, waiter) = (self.next, waiter(sender));
        self.next += 1;
        self.riders += usize::from(matches!(waiter, Waiter::Rider(_)));
        self.waiters.insert(ticket, waiter);
        Turn { ticket, receiver, pool: Arc::clone(pool) }
    }

    fn leave(&mut self, ticket: u64) {
        if let Some(waiter) = self.waiters.remove(&ticket) {
            self.uncount(&waiter);
        }
    }

    fn uncount(&mut self, waiter: &Waiter) {
        self.riders -= usize::from(matches!(waiter, Waiter::Rider(_)));
    }
}

/// A place in line. Dropping it leaves the line.
pub(super) struct Turn<T> {
    ticket: u64,
    receiver: Receiver<Given<T>>,
    pool: Arc<Inner>,
}

impl<T> Turn<T> {
    /// What comes until `deadline`; then none. An error without words: the pool closes.
    pub(super) async fn wait(&mut self, deadline: Instant) -> Option<Result<Given<T>, ()>> {
        let given = timeout_at(deadline.into(), &mut self.receiver).await;
        given.ok().map(|given| given.map_err(drop))
    }

    /// Leaves the line with what may have come at this very moment.
    pub(super) fn give_up(mut self) -> Option<Result<Given<T>, ()>> {
        self.leave();
        self.receiver.try_recv().ok().map(Ok)
    }

    fn leave(&self) {
        self.pool.in_line(|queue| queue.leave(self.ticket));
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        self.leave();
    }
}
