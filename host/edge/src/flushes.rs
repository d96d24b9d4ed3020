//! When what hyper was given has gone to the kernel.
//!
//! hyper drops what it has buffered when a body fails: the client would lose the head and the parts that came just
//! before. So a failed body waits for the next flush before it says so. Over HTTP/1 this is exact. HTTP/2 lets a
//! reset overtake data anyhow: there it holds for what the client's flow control and other streams left room for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The flushes of one connection.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    count: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Flushes {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Everything that hyper wrote until now is with the kernel.
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Ready when there was a flush since the count was `before`.
    pub(crate) fn poll_after(&self, cx: &Context<'_>, before: u64) -> Poll<()> {
        let mut waiting = self.waiting.lock();
        // Under the lock: a flush that is counted later finds the waker.
        if self.count() != before {
            return Poll::Ready(());
        }
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
