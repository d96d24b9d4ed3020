//! A bound on the sessions of several pools together: those of a tenant, those of the host.
//!
//! A pool that wants a session and finds its cap reached has another pool close an idle one. Where none is idle it is
//! starving: it stands in line, and a place that becomes free, or a session that comes back to a pool with more of
//! them, is for the one in line with the fewest.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::Inner;

/// See the module.
pub(crate) struct Cap {
    max: usize,
    state: Mutex<State>,
    /// As many as stand in line: looked at without the lock.
    starving: AtomicUsize,
    pools: OnceLock<Vec<Weak<Inner>>>,
}

#[derive(Default)]
struct State {
    used: usize,
    /// With the time since when.
    line: Vec<(Weak<Inner>, Instant)>,
}

impl Cap {
    pub(crate) fn new(max: NonZeroUsize) -> Arc<Self> {
        let (state, starving) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { max: max.get(), state, starving, pools: OnceLock::new() })
    }

    /// Tells once which pools are under this cap.
    pub(super) fn govern(&self, pools: Vec<Weak<Inner>>) {
        let _ = self.pools.set(pools);
    }

    /// Takes a place; closes an idle session of another pool for it if need be. Otherwise `pool` stands in line.
    pub(super) fn take(&self, pool: &Arc<Inner>) -> bool {
        self.try_take() || {
            self.make_room(Some(pool));
            self.take_or_starve(pool)
        }
    }

    /// The same for a connection outside of any pool, which does not stand in line.
    pub(super) fn take_outside(&self) -> bool {
        self.try_take() || {
            self.make_room(None);
            self.try_take()
        }
    }

    fn try_take(&self) -> bool {
        let mut state = self.state.lock();
        let free = state.used < self.max;
        state.used += usize::from(free);
        free
    }

    fn take_or_starve(&self, pool: &Arc<Inner>) -> bool {
        let mut state = self.state.lock();
        let free = state.used < self.max;
        if free {
            state.used += 1;
        } else if !pool.starves.swap(true, Ordering::AcqRel) {
            state.line.push((Arc::downgrade(pool), Instant::now()));
            self.starving.store(state.line.len(), Ordering::Release);
        }
        free
    }

    /// Has another pool close an idle session.
    fn make_room(&self, asker: Option<&Arc<Inner>>) {
        let pools = self.pools.get().into_iter().flatten().filter_map(Weak::upgrade);
        let mut others = pools.filter(|pool| asker.is_none_or(|asker| !Arc::ptr_eq(pool, asker)));
        let spare = others.find_map(|pool| pool.shards.longest_unused());
        drop(spare);
    }

    /// Gives a place back. Whoever does so lets those in line [try for it](Self::serve) once it has given back all.
    pub(super) fn release(&self) {
        self.state.lock().used -= 1;
    }

    pub(super) fn serve(&self) {
        for _ in 0..self.starving.load(Ordering::Acquire) {
            let Some(pool) = self.next_in_line() else { return };
            pool.pump();
        }
    }

    fn next_in_line(&self) -> Option<Arc<Inner>> {
        let mut state = self.state.lock();
        if state.used >= self.max {
            return None;
        }
        let (next, _) = self.neediest(&mut state)?;
        self.strike_out(&mut state, &next);
        next.starves.store(false, Ordering::Release);
        Some(next)
    }

    /// Of those in line that still want a place the one with the fewest, of these the longest there; and since when.
    fn neediest(&self, state: &mut State) -> Option<(Arc<Inner>, Instant)> {
        let mut all: Vec<_> = Vec::with_capacity(state.line.len());
        state.line.retain(|(pool, since)| {
            let Some(pool) = pool.upgrade() else { return false };
            let wants = pool.wants();
            pool.starves.store(wants, Ordering::Release);
            all.push((pool, *since));
            wants
        });
        self.starving.store(state.line.len(), Ordering::Release);
        all.into_iter().filter(|(pool, _)| pool.wants()).min_by_key(|(pool, since)| (pool.size(), *since))
    }

    fn strike_out(&self, state: &mut State, pool: &Arc<Inner>) {
        state.line.retain(|(waiting, _)| !std::ptr::eq(waiting.as_ptr(), Arc::as_ptr(pool)));
        self.starving.store(state.line.len(), Ordering::Release);
    }

    /// Takes a pool out of the line.
    pub(super) fn leave(&self, pool: &Arc<Inner>) {
        self.strike_out(&mut self.state.lock(), pool);
    }

    /// The size of the neediest pool in line, and how long it has been there.
    pub(super) fn starving(&self, now: Instant) -> Option<(usize, Duration)> {
        if self.starving.load(Ordering::Acquire) == 0 {
            return None;
        }
        let (neediest, since) = self.neediest(&mut self.state.lock())?;
        Some((neediest.size(), now.saturating_duration_since(since)))
    }
}
