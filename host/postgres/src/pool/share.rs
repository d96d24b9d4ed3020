//! Sessions that several calls share ([`crate::ride`]): who boards, and the task that has the session meanwhile.
//!
//! Nobody overtakes: those board that stand at the front of the line, up to the first that wants a session alone. As
//! long as there are fewer of them than sessions each gets one of its own, as if nothing was ever shared.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Inner, Pool,
    lease::Lease,
    policy,
    queue::{Rider, Waiter},
};
use crate::{
    PgError,
    call::CallLimits,
    config::Reset,
    ride::{Passage, Told},
    session::Line,
};

/// Nobody boards a session that has been shared for this long: it goes back, so that it can be retired, or closed for
/// another pool.
const LONGEST_RIDE: Duration = Duration::from_millis(100);

/// Who gets a session.
pub(super) enum Next {
    One(Waiter),
    Riders(Vec<Rider>),
}

impl Pool {
    /// Takes a session for the caller alone if one is idle; else waits for one, or for a place on one that is shared,
    /// whichever comes first. Dropping the future gives up its place in line, or its answer.
    ///
    /// # Errors
    /// As [`lease`](Self::lease); and `timeout` when the statement was sent and took too long.
    pub(crate) async fn lease_or_ride(
        &self,
        sql: &str,
        params: &[u8],
        limits: &CallLimits,
    ) -> Result<Told, PgError> {
        let pool = &self.0;
        if let Some(lease) = pool.lease_at_once() {
            return Ok(Told::Lease(lease));
        }
        match pool.passage(sql, params, limits) {
            Some(passage) => pool.ride_in_turn(Arc::new(passage)).await,
            None => self.lease_in_turn().await.map(Told::Lease),
        }
    }
}

impl Inner {
    fn passage(&self, sql: &str, params: &[u8], limits: &CallLimits) -> Option<Passage> {
        let config = &self.config.limits;
        let shares = config.max_riders > 1 && config.reset != Reset::Always;
        let rides = shares && self.manners.rides(sql, Instant::now());
        rides.then(|| Passage::new(sql, params, limits)).flatten()
    }

    async fn ride_in_turn(self: &Arc<Self>, passage: Arc<Passage>) -> Result<Told, PgError> {
        let begun = Instant::now();
        let mut turn = self.line_up(|told| Waiter::Rider(Rider::new(Arc::clone(&passage), told)))?;
        let time = passage.limits.statement_timeout;
        let given = loop {
            let now = Instant::now();
            // Nobody tells when it boards, so that one wake-up does for all: it is looked for in time.
            let (end, boarded) = match passage.boarded() {
                Some(boarded) => (boarded + time, true),
                None => (begun + self.patience(), false),
            };
            if now >= end {
                let given = turn.give_up();
                if given.is_none() && boarded {
                    return Err(passage.limits.overdue());
                }
                break given;
            }
            let given = turn.wait(end.min(now + time)).await;
            if given.is_some() {
                break given;
            }
        };
        let waited = passage.boarded().unwrap_or_else(Instant::now).saturating_duration_since(begun);
        self.served(given, waited)
    }

    /// Takes who is next out of the line: several, if they may share the session and do.
    pub(super) fn next(&self, shareable: bool) -> Option<Next> {
        if shareable {
            let riders = self.boarding(0, 2);
            if !riders.is_empty() {
                return Some(Next::Riders(riders));
            }
        }
        self.in_line(|queue| queue.pop()).map(Next::One)
    }

    /// Takes those out of the line who board beside `aboard` others; nobody, if they are fewer than `least`.
    fn boarding(&self, aboard: usize, least: usize) -> Vec<Rider> {
        let most = self.config.limits.max_riders;
        let mut control = self.control.lock();
        let boards = policy::boards(control.queue.riders(), aboard, control.size, most);
        if boards < least || control.queue.riders_in_front(least) < least {
            return Vec::new();
        }
        let riders = control.queue.pop_riders(boards);
        control.totals.ridden += riders.len() as u64;
        self.mirror(&control);
        drop(control);
        let now = Instant::now();
        riders.iter().for_each(|rider| rider.passage.board(now));
        riders
    }

    /// Has riders, and those that come to the front of the line meanwhile, share a session.
    pub(super) fn share(self: &Arc<Self>, mut lease: Lease, riders: Vec<Rider>) {
        let mut boarding = Boarding { pool: Arc::clone(self), end: Instant::now() + LONGEST_RIDE };
        let ride = async move { lease.convoy(riders, &mut boarding).await };
        drop(self.menders.spawn_on(ride, &self.runtime));
    }
}

/// Who boards a session that is being shared.
struct Boarding {
    pool: Arc<Inner>,
    end: Instant,
}

impl Line for Boarding {
    fn board(&mut self, aboard: usize) -> Vec<Rider> {
        if self.pool.waiting.load(Ordering::SeqCst) == 0 || Instant::now() >= self.end {
            return Vec::new();
        }
        self.pool.boarding(aboard, 1)
    }

    fn held_up(&self, sql: &str) {
        self.pool.manners.held_up(sql, Instant::now());
    }

    fn lost(&self) {
        self.pool.suspect_all();
    }
}
