//! What a pool holds, and who is next: plain data under the pool's lock.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::policy::Counts;

/// How often the request at the front of the queue may be passed over by others.
const MAX_PASSED: u8 = 8;

pub(super) struct State<I> {
    pub(super) spares: Vec<I>,
    /// Idle instances by route, the most recently used last.
    pub(super) idle: Vec<Vec<Idle<I>>>,
    pub(super) waiters: VecDeque<Waiter<I>>,
    pub(super) live: usize,
    pub(super) bound: u64,
    pub(super) make_time: Duration,
    /// Somebody waits for the last loan to come back.
    pub(super) draining: bool,
    pub(super) closed: bool,
}

pub(super) struct Idle<I> {
    pub(super) instance: I,
    pub(super) since: Instant,
}

pub(super) struct Waiter<I> {
    pub(super) route: usize,
    pub(super) passed: u8,
    pub(super) turn: oneshot::Sender<Turn<I>>,
}

/// What a waiting request gets.
pub(super) enum Turn<I> {
    Instance(I),
    /// The right to make one.
    Place,
}

impl<I> State<I> {
    pub(super) fn new(routes: usize) -> Self {
        Self {
            spares: Vec::new(),
            idle: (0..routes).map(|_| Vec::new()).collect(),
            waiters: VecDeque::new(),
            live: 0,
            bound: 0,
            make_time: Duration::from_millis(10),
            draining: false,
            closed: false,
        }
    }

    /// Whether an instance is on loan or being made.
    pub(super) fn is_busy(&self) -> bool {
        self.live > self.spares.len() + self.idle.iter().map(Vec::len).sum::<usize>()
    }

    pub(super) fn enqueue(&mut self, route: usize) -> oneshot::Receiver<Turn<I>> {
        let (turn, got) = oneshot::channel();
        self.waiters.push_back(Waiter { route, passed: 0, turn });
        got
    }

    pub(super) fn counts(&self, route: usize) -> Counts {
        let idle_here = self.idle.get(route).map_or(0, Vec::len);
        let idle: usize = self.idle.iter().map(Vec::len).sum();
        Counts {
            idle_here,
            idle_elsewhere: idle - idle_here,
            spares: self.spares.len(),
            live: self.live,
            waiting: self.waiters.len(),
        }
    }

    pub(super) fn pop_idle(&mut self, route: usize) -> Option<I> {
        self.idle.get_mut(route)?.pop().map(|idle| idle.instance)
    }

    /// The instance of another route that has been idle for longest.
    pub(super) fn pop_oldest_elsewhere(&mut self, route: usize) -> Option<I> {
        let others =
            self.idle.iter_mut().enumerate().filter(|(other, idle)| *other != route && !idle.is_empty());
        let (_, oldest) = others.min_by_key(|(_, idle)| idle.first().map(|idle| idle.since))?;
        Some(oldest.remove(0).instance)
    }

    /// The waiter whose turn it is when an instance of `route` comes free.
    pub(super) fn next_waiter(&mut self, route: usize) -> Option<Waiter<I>> {
        let front = self.waiters.front_mut()?;
        if front.route != route && front.passed < MAX_PASSED {
            front.passed += 1;
            if let Some(own) = self.waiters.iter().position(|waiter| waiter.route == route) {
                return self.waiters.remove(own);
            }
        }
        self.waiters.pop_front()
    }
}
