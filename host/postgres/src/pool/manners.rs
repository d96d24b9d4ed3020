//! Which statements ride, remembered by their texts.
//!
//! The judgement of a text takes longer than a look at this, and what it cannot see shows: a statement that held others
//! up does not ride for a while. Once may have been the machine's fault; the second time in a while counts.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::ride::may_ride;

/// How long a statement that held others up does not ride, and how long the first time is remembered.
const REST: Duration = Duration::from_secs(10);
/// Most texts that are remembered.
const MOST: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Manners {
    /// Keyed, so that nobody can aim at another's.
    hasher: RandomState,
    known: Mutex<HashMap<u64, Manner>>,
}

#[derive(Clone, Copy)]
enum Manner {
    Rides,
    Alone,
    /// Rides, and held others up not long ago.
    Warned(Instant),
    AloneUntil(Instant),
}

impl Manners {
    pub(super) fn rides(&self, sql: &str, now: Instant) -> bool {
        let key = self.hasher.hash_one(sql);
        let known = self.known.lock().get(&key).copied();
        match known {
            Some(Manner::Rides | Manner::Warned(_)) => true,
            Some(Manner::Alone) => false,
            Some(Manner::AloneUntil(end)) => now >= end,
            None => {
                let rides = may_ride(sql);
                self.remember(key, if rides { Manner::Rides } else { Manner::Alone });
                rides
            }
        }
    }

    /// Notes that a statement held others up.
    pub(super) fn held_up(&self, sql: &str, now: Instant) {
        let key = self.hasher.hash_one(sql);
        let before = self.known.lock().get(&key).copied();
        let again = matches!(before, Some(Manner::Warned(end)) if now < end);
        self.remember(key, if again { Manner::AloneUntil(now + REST) } else { Manner::Warned(now + REST) });
    }

    fn remember(&self, key: u64, manner: Manner) {
        let mut known = self.known.lock();
        if known.len() >= MOST && !known.contains_key(&key) {
            known.clear();
        }
        known.insert(key, manner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_held_others_up_rests() {
        let (manners, now) = (Manners::default(), Instant::now());
        assert!(manners.rides("SELECT 1", now) && manners.rides("SELECT 1", now));
        assert!(!manners.rides("DELETE FROM t", now) && !manners.rides("DELETE FROM t", now));
        manners.held_up("SELECT 1", now);
        assert!(manners.rides("SELECT 1", now), "once may be chance");
        manners.held_up("SELECT 1", now);
        assert!(!manners.rides("SELECT 1", now) && manners.rides("SELECT 2", now));
        assert!(!manners.rides("SELECT 1", now + REST - Duration::from_millis(1)));
        let later = now + REST;
        assert!(manners.rides("SELECT 1", later));
        manners.held_up("SELECT 1", later);
        manners.held_up("SELECT 1", later + REST);
        assert!(manners.rides("SELECT 1", later + REST), "one time is forgotten after a while");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (manners, now) = (Manners::default(), Instant::now());
        for n in 0..=MOST {
            assert!(manners.rides(&format!("SELECT {n}"), now));
        }
        assert!(manners.known.lock().len() <= MOST);
    }
}
