//! The instances of one revision, route by route.
//!
//! The contract: an instance that served one route never serves another (routes that share state share a pool key).
//! A request gets the cheapest instance there is ([`policy`]); a spare is made off the request path to take the
//! place of one that was bound. An instance comes back only when its request left it well; else it is discarded and
//! its place given on. Waiting is first come, first served, except that an instance goes to its own route's next
//! request while the one at the front has not been passed over too often: making anew costs more than waiting.
//!
//! One short lock guards the counts; nothing is awaited under it.

mod filler;
pub mod policy;
mod state;

use std::{pin::pin, sync::Arc, time::Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

pub use policy::PoolLimits;

use crate::{
    error::MakeError,
    maker::{Maker, Renewal},
};
use policy::{Decision, decide};
use state::{Idle, State, Turn};

/// A revision's instances.
pub struct Pool<M: Maker> {
    maker: M,
    limits: PoolLimits,
    state: Mutex<State<M::Instance>>,
    wake_filler: Notify,
    freed: Notify,
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckoutError {
    /// All instances are busy and the queue is full, or the wait was too long.
    #[error("all instances are busy")]
    Saturated,
    /// The pool is shutting down.
    #[error("the app is shutting down")]
    Closed,
    /// One could not be made.
    #[error(transparent)]
    Make(#[from] MakeError),
}

/// An instance on loan to one request. Dropped without [`Checkout::checkin`], it is discarded.
pub struct Checkout<M: Maker> {
    pool: Arc<Pool<M>>,
    route: usize,
    instance: Option<M::Instance>,
    fresh: bool,
}

impl<M: Maker> Pool<M> {
    /// A pool for `routes` routes, with its filler running. Needs a tokio runtime.
    #[must_use]
    pub fn new(maker: M, routes: usize, limits: PoolLimits) -> Arc<Self> {
        let pool = Arc::new(Self {
            maker,
            limits,
            state: Mutex::new(State::new(routes)),
            wake_filler: Notify::new(),
            freed: Notify::new(),
        });
        tokio::spawn(filler::run(Arc::downgrade(&pool)));
        pool
    }

    /// Makes one spare now and waits for it: shows that the app starts at all.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn warm_up(self: &Arc<Self>) -> Result<(), MakeError> {
        let Some(mut place) = self.take_place() else { return Ok(()) };
        let instance = self.make().await?;
        place.0 = None;
        self.give(instance);
        Ok(())
    }

    /// An instance for a request of `route`.
    ///
    /// # Errors
    /// When there is none within the limits. Dropping the future gives back what it had got.
    pub async fn checkout(self: &Arc<Self>, route: usize) -> Result<Checkout<M>, CheckoutError> {
        match self.start_checkout(route)? {
            Start::Have(instance, fresh) => Ok(self.lend(route, instance, fresh)),
            Start::Make(discard) => {
                let place = Place(Some(self.as_ref()));
                if let Some(instance) = discard {
                    tokio::spawn(self.maker.stop(instance));
                }
                self.make_for(route, place).await
            }
            Start::Wait(turn) => self.wait(route, turn).await,
        }
    }

    /// How many instances are alive, and how many of them idle or spare.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live, state.spares.len() + state.idle.iter().map(Vec::len).sum::<usize>())
    }

    /// Waits until no instance is on loan or being made: the work behind the last response is then done, too. Each
    /// loan is bounded by the limits of its instance.
    pub async fn drained(&self) {
        let mut freed = pin!(self.freed.notified());
        loop {
            freed.as_mut().enable();
            {
                let mut state = self.state.lock();
                state.draining = true;
                if !state.is_busy() {
                    return;
                }
            }
            freed.as_mut().await;
            freed.set(self.freed.notified());
        }
    }

    /// Ends the pool: idle instances and spares run their shut-down hooks, waiting requests are refused. Instances on
    /// loan are discarded when they come back.
    pub async fn close(&self) {
        let instances: Vec<_> = {
            let mut state = self.state.lock();
            state.closed = true;
            state.waiters.clear();
            let idle: Vec<_> =
                state.idle.iter_mut().flat_map(std::mem::take).map(|idle| idle.instance).collect();
            let spares = std::mem::take(&mut state.spares);
            state.live = state.live.saturating_sub(idle.len() + spares.len());
            idle.into_iter().chain(spares).collect()
        };
        self.wake_filler.notify_one();
        let stops = instances.into_iter().map(|instance| self.maker.stop(instance));
        futures::future::join_all(stops).await;
    }

    fn start_checkout(&self, route: usize) -> Result<Start<M::Instance>, CheckoutError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(CheckoutError::Closed);
        }
        Ok(match decide(state.counts(route), &self.limits) {
            Decision::Reuse => {
                state.pop_idle(route).map_or(Start::Make(None), |instance| Start::Have(instance, false))
            }
            Decision::Bind => {
                state.bound += 1;
                self.wake_filler.notify_one();
                state.spares.pop().map_or(Start::Make(None), |instance| Start::Have(instance, true))
            }
            Decision::Make => {
                state.bound += 1;
                state.live += 1;
                Start::Make(None)
            }
            Decision::Replace => Start::Make(state.pop_oldest_elsewhere(route)),
            Decision::Wait => Start::Wait(state.enqueue(route)),
            Decision::Refuse => return Err(CheckoutError::Saturated),
        })
    }

    async fn wait(
        self: &Arc<Self>,
        route: usize,
        turn: oneshot::Receiver<Turn<M::Instance>>,
    ) -> Result<Checkout<M>, CheckoutError> {
        let mut turn = Waiting { pool: self, route, turn };
        match tokio::time::timeout(self.limits.wait, &mut turn.turn).await {
            Err(_) => Err(CheckoutError::Saturated),
            Ok(Err(_)) => Err(CheckoutError::Closed),
            Ok(Ok(Turn::Instance(instance))) => Ok(self.lend(route, instance, false)),
            Ok(Ok(Turn::Place)) => self.make_for(route, Place(Some(self.as_ref()))).await,
        }
    }

    async fn make_for(
        self: &Arc<Self>,
        route: usize,
        mut place: Place<'_, M>,
    ) -> Result<Checkout<M>, CheckoutError> {
        let instance = self.make().await?;
        place.0 = None;
        Ok(self.lend(route, instance, true))
    }

    async fn make(&self) -> Result<M::Instance, MakeError> {
        let started = Instant::now();
        let made = self.maker.make().await;
        if made.is_ok() {
            let mut state = self.state.lock();
            state.make_time = (state.make_time * 3 + started.elapsed()) / 4;
        }
        made
    }

    fn lend(self: &Arc<Self>, route: usize, instance: M::Instance, fresh: bool) -> Checkout<M> {
        Checkout { pool: Arc::clone(self), route, instance: Some(instance), fresh }
    }

    /// Takes a place for one more instance, if the limit has one.
    fn take_place(&self) -> Option<Place<'_, M>> {
        let mut state = self.state.lock();
        let free = !state.closed && state.live < self.limits.max_instances;
        free.then(|| {
            state.live += 1;
            Place(Some(self))
        })
    }

    /// A place became free: the next in the queue may make an instance.
    fn release_place(&self) {
        let mut state = self.state.lock();
        while let Some(waiter) = state.waiters.pop_front() {
            if waiter.turn.send(Turn::Place).is_ok() {
                return;
            }
        }
        state.live = state.live.saturating_sub(1);
        self.tell_drain(&state);
    }

    fn tell_drain(&self, state: &State<M::Instance>) {
        if state.draining {
            self.freed.notify_waiters();
        }
    }

    /// Puts a new instance, which belongs to no route, where it is wanted most.
    fn give(&self, mut instance: M::Instance) {
        let mut state = self.state.lock();
        while let Some(waiter) = state.waiters.pop_front() {
            match waiter.turn.send(Turn::Instance(instance)) {
                Ok(()) => return,
                Err(Turn::Instance(back)) => instance = back,
                Err(Turn::Place) => return,
            }
        }
        if state.closed {
            state.live = state.live.saturating_sub(1);
            drop(state);
            tokio::spawn(self.maker.stop(instance));
        } else {
            state.spares.push(instance);
            self.tell_drain(&state);
        }
    }

    /// Takes back an instance of `route` that can serve again.
    fn take_back(&self, route: usize, instance: M::Instance) {
        let Renewal::Ready(mut instance) = self.maker.renew(instance) else { return self.release_place() };
        let mut state = self.state.lock();
        while let Some(waiter) = state.next_waiter(route) {
            if waiter.route == route {
                match waiter.turn.send(Turn::Instance(instance)) {
                    Err(Turn::Instance(back)) => instance = back,
                    _ => return,
                }
            } else if waiter.turn.send(Turn::Place).is_ok() {
                drop(state);
                tokio::spawn(self.maker.stop(instance));
                return;
            }
        }
        if state.closed {
            state.live = state.live.saturating_sub(1);
            drop(state);
            tokio::spawn(self.maker.stop(instance));
            return;
        }
        if let Some(idle) = state.idle.get_mut(route) {
            idle.push(Idle { instance, since: Instant::now() });
        }
        self.tell_drain(&state);
    }
}

/// How a checkout goes on after the lock.
enum Start<I> {
    Have(I, bool),
    /// Make one, in a place already taken; the instance that had the place, if any, is to be stopped.
    Make(Option<I>),
    Wait(oneshot::Receiver<Turn<I>>),
}

/// A place taken for an instance that is being made. Given back when the making ends without one.
struct Place<'a, M: Maker>(Option<&'a Pool<M>>);

impl<M: Maker> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            pool.release_place();
        }
    }
}

/// A place in the queue. What arrives while it is being given up is passed on.
struct Waiting<'a, M: Maker> {
    pool: &'a Pool<M>,
    route: usize,
    turn: oneshot::Receiver<Turn<M::Instance>>,
}

impl<M: Maker> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        self.turn.close();
        match self.turn.try_recv() {
            Ok(Turn::Instance(instance)) => self.pool.take_back(self.route, instance),
            Ok(Turn::Place) => self.pool.release_place(),
            Err(_) => self.pool.forget_gone_waiters(),
        }
    }
}

impl<M: Maker> Pool<M> {
    fn forget_gone_waiters(&self) {
        self.state.lock().waiters.retain(|waiter| !waiter.turn.is_closed());
    }
}

impl<M: Maker> Checkout<M> {
    /// The instance itself.
    pub fn instance(&mut self) -> Option<&mut M::Instance> {
        self.instance.as_mut()
    }

    /// Whether the instance is bound to its route by this checkout.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Gives the instance back, well.
    pub fn checkin(mut self) {
        if let Some(instance) = self.instance.take() {
            self.pool.take_back(self.route, instance);
        }
    }
}

impl<M: Maker> Drop for Checkout<M> {
    fn drop(&mut self) {
        if self.instance.take().is_some() {
            self.pool.release_place();
        }
    }
}

#[cfg(test)]
mod tests;
