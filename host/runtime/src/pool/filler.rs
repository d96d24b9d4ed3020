//! The background worker of a pool: keeps the spares that the policy wants, and discards what has been idle for too
//! long. Ends with the pool.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Pool,
    policy::{spares_surplus, spares_wanted},
};
use crate::maker::Maker;

const LOOK: Duration = Duration::from_millis(250);
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

pub(super) async fn run<M: Maker>(pool: Weak<Pool<M>>) {
    let mut rate = Rate::default();
    let mut backoff = FIRST_BACKOFF;
    while let Some(pool) = pool.upgrade() {
        if pool.state.lock().closed {
            return;
        }
        rate.observe(pool.state.lock().bound, Instant::now());
        pool.discard_idle(rate.per_second).await;
        match pool.fill(rate.per_second).await {
            Ok(()) => {
                backoff = FIRST_BACKOFF;
                let _ = tokio::time::timeout(LOOK, pool.wake_filler.notified()).await;
            }
            Err(error) => {
                tracing::error!("cannot make a spare instance, trying again in {backoff:?}: {error}");
                drop(pool);
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
        }
    }
}

/// How many instances are bound to routes in a second, smoothed.
#[derive(Default)]
struct Rate {
    per_second: f64,
    last: Option<(u64, Instant)>,
}

impl Rate {
    fn observe(&mut self, bound: u64, now: Instant) {
        let Some((before, then)) = self.last else {
            self.last = Some((bound, now));
            return;
        };
        let elapsed = now.duration_since(then);
        if elapsed < LOOK {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate, not a count")]
        let current = bound.saturating_sub(before) as f64 / elapsed.as_secs_f64();
        self.per_second = current.max(self.per_second * 0.8);
        self.last = Some((bound, now));
    }
}

impl<M: Maker> Pool<M> {
    async fn fill(self: &Arc<Self>, rate: f64) -> Result<(), crate::MakeError> {
        while self.lacks_spares(rate) {
            let Some(mut place) = self.take_place() else { return Ok(()) };
            let instance = self.make().await?;
            place.pool = None;
            self.give(instance);
        }
        Ok(())
    }

    fn lacks_spares(&self, rate: f64) -> bool {
        let state = self.state.lock();
        !state.closed && state.spares.len() < spares_wanted(rate, state.make_time, &self.limits)
    }

    async fn discard_idle(&self, rate: f64) {
        let now = Instant::now();
        let stale = |since: Instant| now.duration_since(since) >= self.limits.max_idle;
        let old: Vec<_> = {
            let mut state = self.state.lock();
            let wanted = spares_wanted(rate, state.make_time, &self.limits);
            let stale_spares = state.spares.iter().take_while(|spare| stale(spare.since)).count();
            let surplus = spares_surplus(state.spares.len(), wanted, stale_spares);
            let mut old: Vec<_> = state.spares.drain(..surplus).collect();
            for route in &mut state.routes {
                let before = route.idle.len();
                old.extend(route.idle.extract_if(.., |idle| stale(idle.since)));
                route.alive = route.alive.saturating_sub(before - route.idle.len());
            }
            state.live = state.live.saturating_sub(old.len());
            old
        };
        for idle in old {
            self.maker.stop(idle.instance).await;
        }
    }
}
