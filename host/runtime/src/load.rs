//! How many instances compute: run, or could if they had a core. One that waits for a database, a timer or its
//! client does not. The pools ask before they let one more instance serve a route: where every core is busy already,
//! it would only slow the others down and take memory.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;

/// The guests that compute in this process.
#[derive(Debug)]
pub(crate) struct Load {
    cores: usize,
    computing: AtomicUsize,
}

impl Load {
    /// For as many cores as this process may use.
    pub(crate) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Arc::new(Self { cores, computing: AtomicUsize::new(0) })
    }

    /// Cores that no guest keeps busy.
    pub(crate) fn idle_cores(&self) -> usize {
        self.cores.saturating_sub(self.computing.load(Ordering::Relaxed))
    }

    /// Runs a guest's work; it counts whenever it is polled or waits for its poll.
    pub(crate) async fn of<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let counted = Work::begin(self);
        std::future::poll_fn(|cx| counted.poll(cx, work.as_mut())).await
    }
}

const WAITS: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;
const ENDED: u8 = 3;

/// One piece of work, for as long as it lives.
struct Work(Arc<Turn>);

/// Sees the wakes of one piece of work.
struct Turn {
    load: Arc<Load>,
    state: AtomicU8,
    task: AtomicWaker,
}

impl Work {
    fn begin(load: &Arc<Load>) -> Self {
        load.computing.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Turn { load: Arc::clone(load), state: AtomicU8::new(WOKEN), task: AtomicWaker::new() }))
    }

    fn poll<F: Future>(&self, cx: &Context<'_>, work: Pin<&mut F>) -> Poll<F::Output> {
        let turn = &self.0;
        turn.task.register(cx.waker());
        turn.enter(POLLED);
        let polled = work.poll(&mut Context::from_waker(&Waker::from(Arc::clone(turn))));
        if polled.is_pending() {
            turn.rest();
        }
        polled
    }
}

impl Turn {
    /// Counts from here on, if it did not already.
    fn enter(&self, state: u8) {
        let change = |before| (before != ENDED).then_some(state);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, change) == Ok(WAITS) {
            self.load.computing.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts no more, unless it was woken while it was polled.
    fn rest(&self) {
        if self.state.compare_exchange(POLLED, WAITS, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.load.computing.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.enter(WOKEN);
        self.task.wake();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.0.state.swap(ENDED, Ordering::AcqRel) != WAITS {
            self.0.load.computing.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{channel::oneshot, poll};

    use super::*;

    fn computing(load: &Load) -> usize {
        load.computing.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn what_waits_does_not_count_and_what_is_woken_does() {
        let load = Load::new();
        let (done, waits) = oneshot::channel();
        let mut work = Box::pin(load.of(waits));
        assert!(poll!(work.as_mut()).is_pending());
        assert_eq!(computing(&load), 0);
        done.send(()).unwrap();
        assert_eq!(computing(&load), 1);
        assert!(poll!(work.as_mut()).is_ready());
        drop(work);
        assert_eq!(computing(&load), 0);
    }

    #[tokio::test]
    async fn what_yields_counts_until_it_is_dropped() {
        let load = Load::new();
        let mut work = Box::pin(load.of(async {
            loop {
                futures::pending!();
            }
        }));
        assert!(poll!(work.as_mut()).is_pending());
        assert_eq!(computing(&load), 0);
        let mut yields = Box::pin(load.of(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })));
        assert!(poll!(yields.as_mut()).is_pending());
        assert_eq!(computing(&load), 1);
        drop((work, yields));
        assert_eq!(computing(&load), 0);
    }
}
