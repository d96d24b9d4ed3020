//! A session in its pool, and the place that it takes there.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{Inner, cap::Cap};
use crate::{PoolLimits, session::Session};

/// A place in a pool's count, and in those of its caps. Dropping it frees it, and lets others try for it.
pub(crate) struct Place {
    pool: Weak<Inner>,
    caps: Arc<[Arc<Cap>]>,
    /// There is no session in it yet.
    opening: bool,
}

impl Place {
    /// A place that was counted everywhere, for a session that is yet to be opened.
    pub(super) fn counted(pool: &Arc<Inner>) -> Self {
        Self { pool: Arc::downgrade(pool), caps: Arc::clone(&pool.caps), opening: true }
    }

    /// A place under these caps only, for a connection that is in no pool.
    pub(super) fn outside(caps: &Arc<[Arc<Cap>]>) -> Option<Self> {
        for (taken, cap) in caps.iter().enumerate() {
            if !cap.take_outside() {
                let given_back = caps.iter().take(taken).cloned().collect();
                drop(Self { pool: Weak::new(), caps: given_back, opening: false });
                return None;
            }
        }
        Some(Self { pool: Weak::new(), caps: Arc::clone(caps), opening: false })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let pool = self.pool.upgrade();
        if let Some(pool) = &pool {
            pool.uncount(self.opening);
        }
        self.caps.iter().for_each(|cap| cap.release());
        self.caps.iter().for_each(|cap| cap.serve());
        if let Some(pool) = pool {
            pool.pump();
        }
    }
}

/// A session with what its pool knows of it. Dropping it closes the session and frees its place, so it is never done
/// under a lock.
pub(super) struct Member {
    session: Session,
    _place: Place,
    /// When it was last given back.
    used: Instant,
    /// When its server last answered.
    proven: Instant,
    /// When it is too old.
    retires: Instant,
}

/// What an idle session is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Ready,
    /// For use, once the server has answered on it: it was silent for long enough to have been cut off unseen.
    Unproven,
    /// To be closed.
    Done,
}

impl Member {
    /// `chance` spreads the ends of sessions that were opened at once: the last tenth of a life is left to it.
    pub(super) fn new(session: Session, mut place: Place, max_lifetime: Duration, chance: u64) -> Box<Self> {
        if let Some(pool) = place.pool.upgrade() {
            pool.opened();
        }
        place.opening = false;
        let spread = (max_lifetime / 10).as_millis().max(1);
        let early = Duration::from_millis((u128::from(chance) % spread) as u64);
        let (now, life) = (Instant::now(), max_lifetime.saturating_sub(early));
        // A life without end is one of a century.
        let retires = now.checked_add(life).unwrap_or(now + Duration::from_secs(100 * 365 * 86_400));
        Box::new(Self { session, _place: place, used: now, proven: now, retires })
    }

    /// Notes that it is given back, its server's last answer just in.
    pub(super) fn note_use(&mut self, now: Instant) {
        (self.used, self.proven) = (now, now);
    }

    pub(super) fn note_proof(&mut self, now: Instant) {
        self.proven = now;
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.session.is_closed() || now >= self.retires
    }

    fn idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.used)
    }

    /// `spare`: the pool has more than it keeps. What was proven before `suspect` is not believed any more.
    pub(super) fn fit(&self, now: Instant, limits: &PoolLimits, spare: bool, suspect: Instant) -> Fit {
        let silent = now.saturating_duration_since(self.proven);
        if self.is_over(now) || (spare && self.idle_for(now) >= limits.idle_timeout) {
            Fit::Done
        } else if silent >= limits.check_after || self.proven <= suspect {
            Fit::Unproven
        } else {
            Fit::Ready
        }
    }
}

impl Deref for Member {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Member {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
