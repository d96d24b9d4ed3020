//! The instances of one revision, route by route.
//!
//! The contract: an instance that served one route never serves another (routes that share state share a pool key).
//! A request gets the cheapest instance there is ([`policy`]); a spare is made off the request path to take the
//! place of one that was bound. An instance comes back only when its request left it well; else it is discarded and
//! its place given on.
//!
//! A request whose route has instances, all busy, waits a little for one of them ([`queue`]): more than one a core
//! help only while they wait for something else. So each route has a number of instances that may serve at a time,
//! which follows how busy the cores are ([`policy::adjusted`]). Waiting is first come, first served in each route, and in the pool
//! when it is full, except that an instance goes to its own route's next request while the one at the front has not
//! been passed over too often: making anew costs more than waiting.
//!
//! One short lock guards the counts; nothing is awaited under it.

mod filler;
pub mod policy;
mod queue;
mod state;

use std::{pin::pin, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OnceCell, oneshot},
    time::Instant,
};

pub use policy::PoolLimits;

use crate::{
    cores::Gauge,
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
    /// Set once an instance has started. Until then they start one at a time: an app's start-up may make what the next
    /// ones' find there, its tables for instance.
    first: OnceCell<()>,
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
        let state = State::new(routes, Gauge::new(maker.work()));
        let pool = Arc::new(Self {
            maker,
            limits,
            state: Mutex::new(state),
            wake_filler: Notify::new(),
            freed: Notify::new(),
            first: OnceCell::new(),
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
        place.pool = None;
        self.give(instance);
        Ok(())
    }

    /// An instance for a request of `route`.
    ///
    /// # Errors
    /// When there is none within the limits. Dropping the future gives back what it had got.
    pub async fn checkout(self: &Arc<Self>, route: usize) -> Result<Checkout<M>, CheckoutError> {
        match self.start_checkout(route)? {
            Start::Now(turn) => self.have(route, turn).await,
            Start::Wait(turn) => self.wait(route, turn).await,
        }
    }

    /// How many instances are alive, and how many of them idle or spare.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live, state.spares.len() + state.idle())
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
            let mut instances = std::mem::take(&mut state.spares);
            state.routes.iter_mut().for_each(|route| instances.append(&mut route.idle));
            state.live = state.live.saturating_sub(instances.len());
            instances
        };
        self.wake_filler.notify_one();
        let stops = instances.into_iter().map(|idle| self.maker.stop(idle.instance));
        futures::future::join_all(stops).await;
    }

    fn start_checkout(self: &Arc<Self>, route: usize) -> Result<Start<M::Instance>, CheckoutError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(CheckoutError::Closed);
        }
        let decision = decide(state.counts(route, false), &self.limits);
        match decision {
            Decision::Refuse => return Err(CheckoutError::Saturated),
            Decision::Wait => {}
            _ => {
                if let Some(turn) = self.take(&mut state, route, decision) {
                    return Ok(Start::Now(turn));
                }
            }
        }
        self.watch(&mut state);
        Ok(Start::Wait(state.enqueue(route)))
    }

    /// Takes what was decided on, if it is something.
    fn take(
        &self,
        state: &mut State<M::Instance>,
        route: usize,
        decision: Decision,
    ) -> Option<Turn<M::Instance>> {
        let turn = match decision {
            Decision::Reuse => return state.pop_idle(route).map(Turn::Used),
            Decision::Bind => Turn::Spare(state.spares.pop()?.instance),
            Decision::Make => {
                state.live += 1;
                Turn::Place(None)
            }
            Decision::Replace => Turn::Place(Some(state.pop_oldest_elsewhere(route)?)),
            Decision::Wait | Decision::Refuse => return None,
        };
        state.adopt(route);
        state.bound += 1;
        self.wake_filler.notify_one();
        tracing::debug!(route, ?decision, live = state.live, "one more instance for a route");
        Some(turn)
    }

    /// Undoes a [`Pool::take`].
    fn put_back(&self, state: &mut State<M::Instance>, route: usize, turn: Turn<M::Instance>) {
        match turn {
            Turn::Used(instance) => {
                if let Some(route) = state.routes.get_mut(route) {
                    route.idle.push(Idle::new(instance));
                }
                return;
            }
            Turn::Spare(instance) => state.spares.push(Idle::new(instance)),
            Turn::Place(replaced) => {
                state.live = state.live.saturating_sub(1);
                if let Some(instance) = replaced {
                    tokio::spawn(self.maker.stop(instance));
                }
            }
        }
        state.lose(route);
        self.tell_drain(state);
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
            Ok(Ok(turn)) => self.have(route, turn).await,
        }
    }

    async fn have(
        self: &Arc<Self>,
        route: usize,
        turn: Turn<M::Instance>,
    ) -> Result<Checkout<M>, CheckoutError> {
        match turn {
            Turn::Used(instance) => Ok(self.lend(route, instance, false)),
            Turn::Spare(instance) => Ok(self.lend(route, instance, true)),
            Turn::Place(replaced) => {
                let place = Place { pool: Some(self.as_ref()), route: Some(route) };
                if let Some(instance) = replaced {
                    tokio::spawn(self.maker.stop(instance));
                }
                self.make_for(route, place).await
            }
        }
    }

    async fn make_for(
        self: &Arc<Self>,
        route: usize,
        mut place: Place<'_, M>,
    ) -> Result<Checkout<M>, CheckoutError> {
        let instance = self.make().await?;
        place.pool = None;
        Ok(self.lend(route, instance, true))
    }

    async fn make(&self) -> Result<M::Instance, MakeError> {
        let mut first = None;
        let slot = &mut first;
        let begin = move || async move {
            *slot = Some(self.make_one().await?);
            Ok::<_, MakeError>(())
        };
        self.first.get_or_try_init(begin).await?;
        match first {
            Some(instance) => Ok(instance),
            None => self.make_one().await,
        }
    }

    async fn make_one(&self) -> Result<M::Instance, MakeError> {
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
            Place { pool: Some(self), route: None }
        })
    }

    /// A place became free, which an instance of `route` had, if of any: the next in the queue may make one.
    fn release_place(&self, route: Option<usize>) {
        let mut state = self.state.lock();
        if let Some(route) = route {
            state.lose(route);
        }
        while let Some(waiter) = state.waiters.pop_front() {
            if waiter.turn.send(Turn::Place(None)).is_ok() {
                state.adopt(waiter.route);
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

    /// Puts a new instance, which belongs to no route, where it is wanted most. While there is room for more, the
    /// queue is left to wait for what it has.
    fn give(&self, mut instance: M::Instance) {
        let mut state = self.state.lock();
        while self.is_full(&state)
            && let Some(waiter) = state.waiters.pop_front()
        {
            match waiter.turn.send(Turn::Spare(instance)) {
                Err(Turn::Spare(back)) => instance = back,
                _ => return state.adopt(waiter.route),
            }
        }
        if state.closed {
            state.live = state.live.saturating_sub(1);
            drop(state);
            tokio::spawn(self.maker.stop(instance));
        } else {
            state.spares.push(Idle::new(instance));
            self.tell_drain(&state);
        }
    }

    /// Takes back an instance of `route` that can serve again.
    fn take_back(&self, route: usize, instance: M::Instance) {
        let Renewal::Ready(mut instance) = self.maker.renew(instance) else {
            return self.release_place(Some(route));
        };
        let mut state = self.state.lock();
        self.adjust(&mut state);
        let full = self.is_full(&state);
        while let Some(waiter) = state.next_waiter(route, full) {
            let own = waiter.route == route;
            let turn = if own { Turn::Used(instance) } else { Turn::Place(Some(instance)) };
            match waiter.turn.send(turn) {
                Err(Turn::Used(back) | Turn::Place(Some(back))) => instance = back,
                _ => return state.hand_on(route, waiter.route),
            }
        }
        if state.closed {
            state.live = state.live.saturating_sub(1);
            drop(state);
            tokio::spawn(self.maker.stop(instance));
            return;
        }
        if let Some(route) = state.routes.get_mut(route) {
            route.idle.push(Idle::new(instance));
        }
        self.tell_drain(&state);
    }

    /// Looks, from time to time, whether more instances should serve, or fewer.
    fn adjust(&self, state: &mut State<M::Instance>) {
        if let Some(busy) = state.gauge.read(|| self.maker.work()) {
            state.adjust(busy, &self.limits);
        }
    }

    fn is_full(&self, state: &State<M::Instance>) -> bool {
        state.live >= self.limits.max_instances
    }
}

/// How a checkout goes on after the lock.
enum Start<I> {
    Now(Turn<I>),
    Wait(oneshot::Receiver<Turn<I>>),
}

/// A place taken for an instance that is being made. Given back when the making ends without one.
struct Place<'a, M: Maker> {
    pool: Option<&'a Pool<M>>,
    /// None: for a spare.
    route: Option<usize>,
}

impl<M: Maker> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool {
            pool.release_place(self.route);
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
            Ok(Turn::Used(instance)) => self.pool.take_back(self.route, instance),
            Ok(Turn::Spare(instance)) => {
                self.pool.state.lock().lose(self.route);
                self.pool.give(instance);
            }
            Ok(Turn::Place(replaced)) => {
                if let Some(instance) = replaced {
                    tokio::spawn(self.pool.maker.stop(instance));
                }
                self.pool.release_place(Some(self.route));
            }
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
            self.pool.release_place(Some(self.route));
        }
    }
}

#[cfg(test)]
mod tests;
