//! The way of a session from its holder back to use.
//!
//! A clean one goes to who waits longest, else to the idle ones. One that is not known to be clean is made so in the
//! background, and keeps its place in the pool's count meanwhile; what cannot be made clean is closed.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{Inner, lease::Lease, member::Member, policy, share::Next};
use crate::config::Reset;

/// Longest time that a session's mending may take before the session is closed instead.
const MEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a session's server to say that it lives.
const PROOF_TIMEOUT: Duration = Duration::from_secs(1);

impl Inner {
    /// Takes a session back from its holder.
    pub(super) fn take_back(self: &Arc<Self>, mut member: Box<Member>) {
        if self.config.limits.reset == Reset::Always {
            member.taint();
        }
        member.note_use(Instant::now());
        if member.is_spoilt() {
            if member.is_in_doubt() {
                // It was perhaps cut off, and the others with it.
                self.suspect_all();
            }
            drop(member);
        } else if member.is_clean() {
            self.put(member);
        } else {
            self.mend(member, MEND_TIMEOUT);
        }
    }

    /// Puts a clean session to use: for who waits, else for another pool that starves, else for later.
    fn put(self: &Arc<Self>, member: Box<Member>) {
        let now = Instant::now();
        if member.is_over(now) || self.owes(now) {
            drop(member);
        } else {
            self.hand_out(member);
        }
    }

    /// Whether it has to close a session that came back, for another pool.
    fn owes(&self, now: Instant) -> bool {
        let is_waited_for = self.waiting.load(Ordering::SeqCst) > 0;
        let mut starving = self.caps.iter().filter_map(|cap| cap.starving(now));
        starving.any(|(asker, since)| policy::owes(self.size(), asker, is_waited_for, since))
    }

    /// Gives a session to who waits longest, and to others with it that may share it, or keeps it idle.
    pub(super) fn hand_out(self: &Arc<Self>, member: Box<Member>) {
        let mut lease = Lease::new(member, self);
        while self.waiting.load(Ordering::SeqCst) > 0
            && let Some(next) = self.next(lease.may_be_shared())
        {
            match next {
                Next::Riders(riders) => return self.share(lease, riders),
                Next::One(waiter) => match waiter.give(lease) {
                    None => return,
                    Some(back) => lease = back,
                },
            }
        }
        let Some(member) = lease.into_member() else { return };
        self.shards.push(member);
        if self.closing.is_cancelled() {
            drop(self.shards.extract(|_| true));
        } else if self.waiting.load(Ordering::SeqCst) > 0 {
            // It came while nobody waited, and somebody does now who may not have seen it.
            self.pump();
        }
    }

    /// Has a silent session show that it lives.
    pub(super) fn prove(self: &Arc<Self>, mut member: Box<Member>) {
        member.doubt();
        self.mend(member, PROOF_TIMEOUT.min(self.config.limits.connect_timeout));
    }

    /// Makes a session clean in the background.
    fn mend(self: &Arc<Self>, mut member: Box<Member>, patience: Duration) {
        let pool = Arc::clone(self);
        let mend = async move {
            let mended = {
                let mut mending = pin!(member.mend());
                match timeout(PROOF_TIMEOUT.min(patience), &mut mending).await {
                    Ok(mended) => Ok(mended),
                    Err(_) => {
                        // Its server may be busy with it, or not be there any more: then the others are cut off too.
                        pool.suspect_all();
                        timeout(patience.saturating_sub(PROOF_TIMEOUT), mending).await
                    }
                }
            };
            match mended {
                Ok(Ok(())) => {
                    member.note_proof(Instant::now());
                    return pool.put(member);
                }
                Ok(Err(error)) => tracing::debug!(%error, "postgres session closed: it could not be cleaned"),
                Err(_) => {
                    tracing::warn!("postgres session closed: it gave no answer within {patience:?}");
                }
            }
            drop(member);
        };
        drop(self.menders.spawn_on(mend, &self.runtime));
    }
}
