//! The pool of one database.
//!
//! The contract: a call that asks for a session gets, in this order, an idle one; a new one; the next that is given
//! back. Those who wait are served in their order, each until its own deadline, and only so many may wait. What has
//! to be done for sessions (opening, cleaning, asking whether they live) is done in the background and never by a
//! caller, whose future may be dropped at any time. A session goes back to the idle ones only when it is proven clean.
//!
//! A checkout that finds an idle session takes one lock, seldom contended ([`shard`]). All others go through
//! `control`, where pure functions decide ([`policy`], [`health`]). No lock is held while another is taken, nor
//! while a session is dropped; the exceptions are the caps' ([`cap`]), which are last.
//!
//! When the server goes away, calls wait until their deadline: a restart of a second or two is not seen by them. One
//! attempt at a time asks whether it is back. When it has been away for longer than a call waits, or has refused the
//! log-in, calls fail at once, and an attempt is made now and then.

mod cap;
mod checkin;
mod health;
mod keep;
mod lease;
mod manners;
#[cfg(test)]
mod measure;
mod member;
mod open;
mod policy;
mod queue;
mod shard;
mod share;
mod status;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fasterapi_core::DatabaseAlias;
use parking_lot::{Mutex, MutexGuard};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::status::{PoolStatus, PoolTotals};
pub(crate) use self::{cap::Cap, lease::Lease, member::Place, queue::Rider};
use self::{
    health::Health,
    manners::Manners,
    member::{Fit, Member},
    policy::{Counts, Decision, Refusal},
    queue::{Given, Queue, Turn, Waiter},
    shard::Shards,
};
use crate::{DatabaseConfig, PgError, schema::Schema};

/// See the module.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    config: DatabaseConfig,
    alias: DatabaseAlias,
    shards: Shards,
    control: Mutex<Control>,
    manners: Manners,
    /// `control`'s counts, to be looked at without its lock.
    waiting: AtomicUsize,
    size: AtomicUsize,
    caps: Arc<[Arc<Cap>]>,
    /// Whether it stands in a cap's line.
    starves: AtomicBool,
    born: Instant,
    /// Microseconds after `born`. What was proven before is not believed any more.
    suspect: AtomicU64,
    /// What its sessions meet of changes of the database.
    schema: Arc<Schema>,
    menders: TaskTracker,
    closing: CancellationToken,
    runtime: Handle,
}

/// What is rarely needed.
#[derive(Default)]
struct Control {
    size: usize,
    opening: usize,
    queue: Queue,
    health: Health,
    last_error: Option<PgError>,
    /// The next attempt to connect is on a clock.
    timer: bool,
    closed: bool,
    totals: PoolTotals,
}

impl Pool {
    /// A pool without sessions. Must be called on a tokio runtime, which then runs its background work.
    pub(crate) fn new(
        alias: DatabaseAlias,
        config: DatabaseConfig,
        caps: Vec<Arc<Cap>>,
        menders: TaskTracker,
    ) -> Self {
        Self(Arc::new(Inner {
            shards: Shards::new(config.limits.max_size.get()),
            config,
            alias,
            control: Mutex::default(),
            manners: Manners::default(),
            waiting: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            caps: caps.into(),
            starves: AtomicBool::new(false),
            born: Instant::now(),
            suspect: AtomicU64::new(0),
            schema: Arc::default(),
            menders,
            closing: CancellationToken::new(),
            runtime: Handle::current(),
        }))
    }

    /// Tells each cap of these pools which are its own.
    pub(crate) fn govern(pools: &[Self], cap: &Cap) {
        let under = |pool: &&Self| pool.0.caps.iter().any(|own| std::ptr::eq(Arc::as_ptr(own), cap));
        cap.govern(pools.iter().filter(under).map(|pool| Arc::downgrade(&pool.0)).collect());
    }

    pub(crate) fn config(&self) -> &DatabaseConfig {
        &self.0.config
    }

    /// Takes a session for the caller alone. Dropping the future gives up its place in line.
    ///
    /// # Errors
    /// `timeout` when none becomes free in time, or too many wait; `connection` when the server is out of reach.
    pub(crate) async fn lease(&self) -> Result<Lease, PgError> {
        match self.0.lease_at_once() {
            Some(lease) => Ok(lease),
            None => self.lease_in_turn().await,
        }
    }

    async fn lease_in_turn(&self) -> Result<Lease, PgError> {
        let (pool, begun) = (&self.0, Instant::now());
        let mut turn = pool.line_up(Waiter::Lease)?;
        let given = match turn.wait(begun + pool.patience()).await {
            None => turn.give_up(),
            given => given,
        };
        pool.served(given, begun.elapsed())
    }

    /// Closes a session that proved dead. Others may have died with it: they are asked before their next use.
    pub(crate) fn replace(&self, dead: Lease) {
        self.0.suspect_all();
        drop(dead.into_member());
    }

    /// A place under the caps for a connection of this database outside of the pool, if there is one, or an idle session
    /// that can be closed for it.
    ///
    /// # Errors
    /// `timeout` when all are in use. It does not wait: the pools that do come first.
    pub(crate) fn place_outside(&self) -> Result<Place, PgError> {
        Place::outside(&self.0.caps).ok_or_else(|| {
            let alias = &self.0.alias;
            PgError::timeout(format!(
                "no connection to database `{alias}` is left under the caps: all are in use"
            ))
        })
    }

    /// What is to be done now and then.
    pub(crate) fn keep(&self) {
        self.0.keep();
    }

    /// Refuses leases from now on and closes idle sessions; those on lease are closed at their return.
    pub(crate) fn close(&self) {
        let mut control = self.0.control.lock();
        control.closed = true;
        let waiters = control.queue.take_all();
        self.0.mirror(&control);
        drop(control);
        drop(waiters);
        self.0.closing.cancel();
        drop(self.0.shards.extract(|_| true));
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let (idle, taken) = (self.0.shards.idle(), self.0.shards.taken());
        let control = self.0.control.lock();
        let Control { size, opening, .. } = *control;
        PoolStatus {
            max_size: self.0.config.limits.max_size.get(),
            size,
            opening,
            idle,
            leased: size.saturating_sub(opening + idle),
            waiting: control.queue.len(),
            failing: control.health.is_failing(),
            totals: PoolTotals { taken, ..control.totals },
        }
    }
}

impl Inner {
    /// An idle session, if nobody waits for one.
    fn lease_at_once(self: &Arc<Self>) -> Option<Lease> {
        let member = if self.waiting.load(Ordering::SeqCst) == 0 { self.pop() } else { None };
        member.map(|member| Lease::new(member, self))
    }

    /// Takes an idle session that is fit for use, without waiting. Those that are not are seen to.
    fn pop(self: &Arc<Self>) -> Option<Box<Member>> {
        let now = Instant::now();
        let spare = self.size() > self.config.limits.min_size;
        loop {
            let member = self.shards.pop()?;
            match self.fit(&member, now, spare) {
                Fit::Ready => return Some(member),
                Fit::Unproven => self.prove(member),
                Fit::Done => drop(member),
            }
        }
    }

    fn fit(&self, member: &Member, now: Instant, spare: bool) -> Fit {
        let suspect = self.born + Duration::from_micros(self.suspect.load(Ordering::Acquire));
        member.fit(now, &self.config.limits, spare, suspect)
    }

    fn suspect_all(&self) {
        let now = u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.suspect.store(now, Ordering::Release);
    }

    /// Lets a call into the line, or not.
    fn line_up<T>(
        self: &Arc<Self>,
        waiter: impl FnOnce(oneshot::Sender<Given<T>>) -> Waiter,
    ) -> Result<Turn<T>, PgError> {
        let turn = {
            let mut control = self.control.lock();
            self.admit(&mut control)?;
            let turn = control.queue.join(self, waiter);
            self.mirror(&control);
            turn
        };
        self.pump();
        Ok(turn)
    }

    /// Counts what a call in line got, after `waited`.
    fn served<T>(&self, given: Option<Result<Given<T>, ()>>, waited: Duration) -> Given<T> {
        let mut control = self.control.lock();
        control.totals.waits += 1;
        control.totals.waited += waited;
        match given {
            Some(Ok(given)) => given,
            Some(Err(())) => Err(self.closed()),
            None => {
                control.totals.timeouts += 1;
                Err(self.too_late(&control))
            }
        }
    }

    fn admit(&self, control: &mut Control) -> Result<(), PgError> {
        if control.closed {
            return Err(self.closed());
        }
        match policy::decide(self.counts(control)) {
            Decision::Open | Decision::Wait => Ok(()),
            Decision::Refuse(refusal) => {
                control.totals.refused += 1;
                Err(match (refusal, &control.last_error) {
                    (Refusal::Down, Some(error)) => error.clone(),
                    (Refusal::Full, _) | (Refusal::Down, None) => self.full(control.queue.len()),
                })
            }
        }
    }

    fn counts(&self, control: &Control) -> Counts {
        let limits = &self.config.limits;
        Counts {
            size: control.size,
            min_size: limits.min_size.min(limits.max_size.get()),
            max_size: limits.max_size.get(),
            opening: control.opening,
            waiting: control.queue.len(),
            max_waiting: limits.max_waiting,
            server: control.health.server(Instant::now(), self.patience()),
        }
    }

    fn mirror(&self, control: &MutexGuard<'_, Control>) {
        self.size.store(control.size, Ordering::SeqCst);
        self.waiting.store(control.queue.len(), Ordering::SeqCst);
    }

    fn size(&self) -> usize {
        self.size.load(Ordering::SeqCst)
    }

    fn uncount(&self, opening: bool) {
        let mut control = self.control.lock();
        control.size -= 1;
        control.opening -= usize::from(opening);
        self.mirror(&control);
    }

    fn in_line<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut control = self.control.lock();
        let changed = change(&mut control.queue);
        self.mirror(&control);
        changed
    }

    /// Brings idle sessions and waiting calls together, and opens what is still wanted.
    fn pump(self: &Arc<Self>) {
        while self.waiting.load(Ordering::SeqCst) > 0 {
            let Some(member) = self.pop() else { break };
            self.hand_out(member);
        }
        self.open_wanted();
    }

    fn closed(&self) -> PgError {
        PgError::connection(format!("database `{}` is being closed", self.alias))
    }

    fn full(&self, waiting: usize) -> PgError {
        let alias = &self.alias;
        PgError::timeout(format!("too many calls wait for a session of database `{alias}`: {waiting}"))
    }

    fn too_late(&self, control: &Control) -> PgError {
        let open = control.size - control.opening;
        match &control.last_error {
            // It waited for one of those in use only because the server let no other in.
            Some(error) if open < self.config.limits.max_size.get() => error.clone(),
            None if control.size == control.opening => {
                let (alias, patience) = (&self.alias, self.patience());
                PgError::timeout(format!("no connection to database `{alias}` was made within {patience:?}"))
            }
            _ => {
                let (alias, patience, size) = (&self.alias, self.patience(), control.size);
                PgError::timeout(format!(
                    "no session of database `{alias}` became free within {patience:?}: all {size} are in use"
                ))
            }
        }
    }
}
