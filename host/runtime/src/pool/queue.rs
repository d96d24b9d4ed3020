//! Looking after the queue of a pool: gives waiting requests one more instance where that helps ([`policy`]). Runs
//! only while requests wait.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Pool,
    policy::{self, decide, has_waited, is_stalled},
    state::State,
};
use crate::maker::Maker;

/// What a look at the queue has come to for one route.
#[derive(Clone, Copy)]
enum Line {
    Untouched,
    /// Its first was served.
    Moved,
    /// Its first waits on.
    Waits,
}

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

    /// Serves whoever can be served now. When to look again; none when nobody waits.
    fn look(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        if state.waiters.is_empty() {
            state.watched = false;
            return None;
        }
        self.adjust(&mut state);
        let mut lines = vec![Line::Untouched; state.routes.len()];
        let mut index = 0;
        while let Some(waiter) = state.waiters.get(index) {
            let (route, since) = (waiter.route, waiter.since);
            let line = lines.get(route).copied().unwrap_or(Line::Waits);
            let served = match line {
                // There is no more for those behind one who waits on.
                Line::Waits => false,
                Line::Untouched => self.serve(&mut state, index, route, since, true),
                Line::Moved => self.serve(&mut state, index, route, since, false),
            };
            if let Some(line) = lines.get_mut(route) {
                *line = if served { Line::Moved } else { Line::Waits };
            }
            index += usize::from(!served);
        }
        Some(policy::look_interval(state.make_time))
    }

    /// Serves the waiter at `index` if there is something for it: an idle instance, or, for the first of a route, one
    /// more.
    fn serve(
        &self,
        state: &mut State<M::Instance>,
        index: usize,
        route: usize,
        since: Instant,
        is_first: bool,
    ) -> bool {
        let Some(here) = state.routes.get_mut(route) else { return false };
        let has_idle = !here.idle.is_empty();
        if is_first && is_stalled(since.elapsed(), here.moved.elapsed(), has_idle) {
            here.allowed = here.allowed.max(here.serving() + 1);
        }
        let may_have_more = is_first && has_waited(since.elapsed(), state.make_time);
        if !has_idle && !may_have_more {
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
