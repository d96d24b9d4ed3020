//! What a pool holds, and who is next: plain data under the pool's lock.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::policy::{self, Counts, PoolLimits};
use crate::cores::Gauge;

/// How often the request at the front of the queue may be passed over by others.
const MAX_PASSED: u8 = 8;

pub(super) struct State<I> {
    /// The oldest first.
    pub(super) spares: Vec<Idle<I>>,
    pub(super) routes: Vec<Route<I>>,
    pub(super) waiters: VecDeque<Waiter<I>>,
    pub(super) live: usize,
    pub(super) bound: u64,
    pub(super) make_time: Duration,
    pub(super) gauge: Gauge,
    /// Somebody looks after the queue.
    pub(super) watched: bool,
    /// Somebody waits for the last loan to come back.
    pub(super) draining: bool,
    pub(super) closed: bool,
}

pub(super) struct Route<I> {
    /// Idle instances, the most recently used last.
    pub(super) idle: Vec<Idle<I>>,
    /// Instances alive: serving, idle and being made.
    pub(super) alive: usize,
    /// How many of them may serve at a time.
    pub(super) allowed: usize,
    /// When a waiting request last got an instance.
    pub(super) moved: Instant,
}

pub(super) struct Idle<I> {
    pub(super) instance: I,
    pub(super) since: Instant,
}

impl<I> Route<I> {
    pub(super) const fn serving(&self) -> usize {
        self.alive.saturating_sub(self.idle.len())
    }

    /// Whether more instances serve than may.
    pub(super) const fn is_crowded(&self) -> bool {
        self.serving() > self.allowed
    }
}

impl<I> Idle<I> {
    pub(super) fn new(instance: I) -> Self {
        Self { instance, since: Instant::now() }
    }
}

pub(super) struct Waiter<I> {
    pub(super) route: usize,
    pub(super) since: Instant,
    pub(super) passed: u8,
    pub(super) turn: oneshot::Sender<Turn<I>>,
}

/// What a request gets.
pub(super) enum Turn<I> {
    /// An instance of its route.
    Used(I),
    /// One that belongs to no route yet.
    Spare(I),
    /// The right to make one, in the place of this one, which is to be stopped.
    Place(Option<I>),
}

impl<I> State<I> {
    pub(super) fn new(routes: usize, gauge: Gauge) -> Self {
        let allowed = policy::allowed_first(gauge.cores());
        let route = |_| Route { idle: Vec::new(), alive: 0, allowed, moved: Instant::now() };
        Self {
            spares: Vec::new(),
            routes: (0..routes).map(route).collect(),
            waiters: VecDeque::new(),
            live: 0,
            bound: 0,
            make_time: Duration::from_millis(10),
            gauge,
            watched: false,
            draining: false,
            closed: false,
        }
    }

    pub(super) fn idle(&self) -> usize {
        self.routes.iter().map(|route| route.idle.len()).sum()
    }

    /// Whether an instance is on loan or being made.
    pub(super) fn is_busy(&self) -> bool {
        self.live > self.spares.len() + self.idle()
    }

    pub(super) fn enqueue(&mut self, route: usize) -> oneshot::Receiver<Turn<I>> {
        let (turn, got) = oneshot::channel();
        self.waiters.push_back(Waiter { route, since: Instant::now(), passed: 0, turn });
        got
    }

    /// For a request that has just come; one that waits already is not counted against itself.
    pub(super) fn counts(&self, route: usize, waited: bool) -> Counts {
        let here = self.routes.get(route);
        let (idle_here, alive_here) = here.map_or((0, 0), |route| (route.idle.len(), route.alive));
        Counts {
            idle_here,
            idle_elsewhere: self.idle() - idle_here,
            spares: self.spares.len(),
            live: self.live,
            alive_here,
            allowed_here: here.map_or(0, |route| route.allowed),
            waiting: self.waiters.len() - usize::from(waited),
            waited,
        }
    }

    /// Follows how busy the cores were with how many instances may serve.
    pub(super) fn adjust(&mut self, busy: f64, limits: &PoolLimits) {
        let cores = self.gauge.cores();
        let mut waited_for = vec![false; self.routes.len()];
        for waiter in &self.waiters {
            if let Some(waited_for) = waited_for.get_mut(waiter.route) {
                *waited_for = true;
            }
        }
        for (route, is_waited_for) in self.routes.iter_mut().zip(waited_for) {
            route.allowed = policy::adjusted(route.allowed, busy, is_waited_for, cores, limits);
        }
    }

    /// An instance is, or will be, the route's.
    pub(super) fn adopt(&mut self, route: usize) {
        if let Some(route) = self.routes.get_mut(route) {
            route.alive += 1;
            route.moved = Instant::now();
        }
    }

    /// An instance of the route is gone, or will never be.
    pub(super) fn lose(&mut self, route: usize) {
        if let Some(route) = self.routes.get_mut(route) {
            route.alive = route.alive.saturating_sub(1);
        }
    }

    /// An instance of the route `from`, or its place, went to a request of `to`.
    pub(super) fn hand_on(&mut self, from: usize, to: usize) {
        self.lose(from);
        self.adopt(to);
    }

    pub(super) fn pop_idle(&mut self, route: usize) -> Option<I> {
        let route = self.routes.get_mut(route)?;
        let idle = route.idle.pop()?;
        route.moved = Instant::now();
        Some(idle.instance)
    }

    /// The instance of another route that has been idle for longest.
    pub(super) fn pop_oldest_elsewhere(&mut self, route: usize) -> Option<I> {
        let others = self.routes.iter_mut().enumerate();
        let others = others.filter(|(other, at)| *other != route && !at.idle.is_empty());
        let (_, oldest) = others.min_by_key(|(_, at)| at.idle.first().map(|idle| idle.since))?;
        oldest.alive = oldest.alive.saturating_sub(1);
        Some(oldest.idle.remove(0).instance)
    }

    /// The waiter whose turn it is when an instance of `route` comes free. One of another route can only use its
    /// place, which it needs where the pool is full; one of its own is none where enough others serve.
    pub(super) fn next_waiter(&mut self, route: usize, full: bool) -> Option<Waiter<I>> {
        let own = match self.routes.get(route) {
            Some(here) if here.is_crowded() => None,
            _ => self.waiters.iter().position(|waiter| waiter.route == route),
        };
        let front = self.waiters.front_mut()?;
        if full && front.route != route {
            if front.passed >= MAX_PASSED || own.is_none() {
                return self.waiters.pop_front();
            }
            front.passed += 1;
        }
        self.waiters.remove(own?)
    }
}
