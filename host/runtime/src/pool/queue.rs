//! Looking after the queue of a pool: gives waiting requests one more instance where [`has_waited`] says so. Runs
//! only while requests wait.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Pool,
    policy::{self, decide, has_waited},
    state::State,
};
use crate::maker::Maker;

async fn watch<M: Maker>(pool: Weak<Pool<M>>, mut interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(next) = pool.upgrade().and_then(|pool| pool.look()) else { return };
        interval = next;
    }
}

impl<M: Maker> Pool<M> {
    /// Has the queue looked after from now on.
    pub(super) fn watch(self: &Arc<Self>, state: &mut State<M::Instance>) {
        if !std::mem::replace(&mut state.watched, true) {
            tokio::spawn(watch(Arc::downgrade(self), policy::look_interval(state.make_time)));
        }
    }

    /// Serves whoever has waited long enough. When to look again; none when nobody waits.
    fn look(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        if state.waiters.is_empty() {
            state.watched = false;
            return None;
        }
        let mut idle_cores = self.maker.idle_cores();
        let mut seen = vec![false; state.routes.len()];
        let mut index = 0;
        while let Some(waiter) = state.waiters.get(index) {
            let (route, since) = (waiter.route, waiter.since);
            // Only the first of each route: the others wait behind it.
            let first = seen.get_mut(route).is_some_and(|seen| !std::mem::replace(seen, true));
            if !first || !self.serve(&mut state, index, route, since, idle_cores) {
                index += 1;
            } else {
                idle_cores = idle_cores.saturating_sub(1);
            }
        }
        Some(policy::look_interval(state.make_time))
    }

    /// Serves the waiter at `index` if it has waited long enough and there is something for it.
    fn serve(
        &self,
        state: &mut State<M::Instance>,
        index: usize,
        route: usize,
        since: Instant,
        idle_cores: usize,
    ) -> bool {
        let moved = state.routes.get(route).map_or(since, |route| route.moved);
        if !has_waited(since.elapsed(), moved.elapsed(), state.make_time, idle_cores) {
            return false;
        }
        let decision = decide(state.counts(route, true), &self.limits);
        let Some(turn) = self.take(state, route, decision) else { return false };
        if let Some(waiter) = state.waiters.remove(index)
            && let Err(turn) = waiter.turn.send(turn)
        {
            self.put_back(state, route, turn);
        }
        true
    }
}
