//! How a running edge is told to end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Ends what it was given to: first gently, then at once. Clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stage: AtomicU8,
    changed: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Running,
    Draining,
    Forced,
}

impl Shutdown {
    /// A switch that nothing has pressed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the drain: no new connections, no new requests, those in flight finish.
    pub fn begin(&self) {
        self.reach(Stage::Draining);
    }

    /// Cuts what is still in flight.
    pub fn force(&self) {
        self.reach(Stage::Forced);
    }

    /// Waits until what is in flight is to be cut: [`Shutdown::force`] was called, or a drain ran into its deadline.
    pub async fn forced(&self) {
        self.watch().reached(Stage::Forced).await;
    }

    pub(crate) fn watch(&self) -> Watch {
        let notified = Box::pin(Arc::clone(&self.inner.changed).notified_owned());
        Watch { shutdown: self.clone(), notified, waker: None }
    }

    fn reach(&self, stage: Stage) {
        self.inner.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.inner.changed.notify_waiters();
    }

    fn stage(&self) -> Stage {
        match self.inner.stage.load(Ordering::Acquire) {
            0 => Stage::Running,
            1 => Stage::Draining,
            _ => Stage::Forced,
        }
    }
}

/// One task's view of a [`Shutdown`]. To look costs one atomic load: the shared list of waiting tasks, which
/// has a lock, is touched only when the task's waker or the stage changes.
#[derive(Debug)]
pub(crate) struct Watch {
    shutdown: Shutdown,
    notified: Pin<Box<OwnedNotified>>,
    waker: Option<Waker>,
}

impl Watch {
    /// A further view of the same switch.
    pub(crate) fn another(&self) -> Self {
        self.shutdown.watch()
    }

    /// The stage now; the task is woken when it changes.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>) -> Stage {
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        // Registered before the load, so that a change between the two wakes us.
        if !known || self.shutdown.stage() != Stage::Running {
            while self.notified.as_mut().poll(cx).is_ready() {
                let changed = Arc::clone(&self.shutdown.inner.changed);
                self.notified.set(changed.notified_owned());
            }
            self.waker = Some(cx.waker().clone());
        }
        self.shutdown.stage()
    }

    /// Waits until `stage` is reached.
    pub(crate) async fn reached(&mut self, stage: Stage) {
        std::future::poll_fn(|cx| if self.look(cx) >= stage { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
