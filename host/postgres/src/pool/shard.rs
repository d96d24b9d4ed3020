//! The idle sessions of a pool, in as many lists as there are cores, so that these do not wait for each other.
//!
//! A thread uses the list of its own number first, then looks through the others. The session used last is the
//! first to be used again: superfluous ones stay idle and go.

#![allow(clippy::vec_box, reason = "members go from list to lease and back: as pointers")]

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
    thread::available_parallelism,
};

use parking_lot::Mutex;

use super::member::Member;

/// More would only lengthen the search.
const MOST: usize = 16;

/// Alone on its cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Shard(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    idle: Vec<Box<Member>>,
    /// Sessions taken from here.
    taken: u64,
}

/// See the module.
pub(super) struct Shards(Box<[Shard]>);

impl Shards {
    /// For up to `max_size` sessions.
    pub(super) fn new(max_size: usize) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self((0..cores.min(max_size).clamp(1, MOST)).map(|_| Shard::default()).collect())
    }

    /// All, beginning with this thread's.
    fn mine_first(&self) -> impl Iterator<Item = &Shard> {
        let mine = thread_number() % self.0.len();
        let (before, after) = self.0.split_at_checked(mine).unwrap_or_default();
        after.iter().chain(before)
    }

    /// Takes an idle session, the last used of its list.
    pub(super) fn pop(&self) -> Option<Box<Member>> {
        self.mine_first().find_map(|shard| {
            let mut lists = shard.0.lock();
            let member = lists.idle.pop()?;
            lists.taken += 1;
            Some(member)
        })
    }

    pub(super) fn push(&self, member: Box<Member>) {
        if let Some(shard) = self.mine_first().next() {
            shard.0.lock().idle.push(member);
        }
    }

    /// Takes out the idle sessions that `pick` wants, each list's longest unused first.
    pub(super) fn extract(&self, mut pick: impl FnMut(&Member) -> bool) -> Vec<Box<Member>> {
        let mut all = Vec::new();
        for shard in &self.0 {
            all.extend(shard.0.lock().idle.extract_if(.., |member| pick(member)));
        }
        all
    }

    /// Takes an idle session to be closed: one that was not used for long.
    pub(super) fn longest_unused(&self) -> Option<Box<Member>> {
        self.0.iter().find_map(|shard| {
            let idle = &mut shard.0.lock().idle;
            (!idle.is_empty()).then(|| idle.remove(0))
        })
    }

    pub(super) fn idle(&self) -> usize {
        self.0.iter().map(|shard| shard.0.lock().idle.len()).sum()
    }

    /// How often a session was taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.lock().taken).sum()
    }
}

/// Small numbers, one a thread.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let mine = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(mine));
            mine
        })
    })
}
