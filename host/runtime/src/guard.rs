//! The two clocks of a call: how long the guest has computed, and how long it has taken in all.
//!
//! The guard stands outside the store's event loop, because a guest that computes, or blocks on a host call, stops
//! that loop. An epoch tick makes a computing guest yield, so the guard gets to look at least every
//! [`crate::engine::TICK`]. Dropping the guarded future ends the guest; its store must not be used again.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;

use crate::{error::InvokeError, limits::InstanceLimits};

/// Where a call stands. Each stage has a deadline of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Responding,
    Streaming,
    Background,
    Abandoned,
}

/// How far a call is: told by the call, read by its guard.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The stage in the low byte, above it a count that changes with every step.
    state: AtomicU64,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: AtomicU64::new(0) })
    }

    fn enter(&self, stage: Stage) {
        let step = (self.state.load(Ordering::Relaxed) >> 8) + 1;
        self.state.store((step << 8) | stage as u64, Ordering::Relaxed);
    }

    /// The response head is out and a stream follows.
    pub(crate) fn streaming(&self) {
        self.enter(Stage::Streaming);
    }

    /// A part of the stream was taken.
    pub(crate) fn part_sent(&self) {
        if self.stage() == Stage::Streaming {
            self.enter(Stage::Streaming);
        }
    }

    /// The response is out whole.
    pub(crate) fn responded(&self) {
        self.enter(Stage::Background);
    }

    /// Nobody waits for the response any more.
    pub(crate) fn abandoned(&self) {
        self.enter(Stage::Abandoned);
    }

    fn stage(&self) -> Stage {
        match self.state.load(Ordering::Relaxed) & 0xff {
            0 => Stage::Responding,
            1 => Stage::Streaming,
            2 => Stage::Background,
            _ => Stage::Abandoned,
        }
    }
}

impl Stage {
    const fn limit(self, limits: &InstanceLimits) -> (&'static str, Duration) {
        match self {
            Self::Responding => ("to respond", limits.request),
            Self::Streaming => ("between two parts of its response", limits.stream_idle),
            Self::Background => ("to finish after its response", limits.background),
            Self::Abandoned => ("to stop after its client left", limits.abandoned),
        }
    }
}

/// Runs `call` within `limits`.
pub(crate) async fn guard<T>(
    call: impl Future<Output = T>,
    progress: Arc<Progress>,
    limits: &InstanceLimits,
) -> Result<T, InvokeError> {
    let mut call = pin!(call);
    // Most calls end with their first poll, and have no use for a timer.
    let mut watch = None;
    std::future::poll_fn(|cx| {
        let started = Instant::now();
        if let Poll::Ready(value) = call.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        watch.get_or_insert_with(|| Watch::new(&progress, limits)).poll(cx, started.elapsed()).map(Err)
    })
    .await
}

struct Watch<'a> {
    progress: &'a Progress,
    limits: &'a InstanceLimits,
    computed: Duration,
    seen: u64,
    deadline: Pin<Box<Sleep>>,
}

impl<'a> Watch<'a> {
    fn new(progress: &'a Progress, limits: &'a InstanceLimits) -> Self {
        let deadline = Box::pin(tokio::time::sleep(limits.request));
        Self { progress, limits, computed: Duration::ZERO, seen: 0, deadline }
    }

    fn poll(&mut self, cx: &mut Context<'_>, computed: Duration) -> Poll<InvokeError> {
        self.computed += computed;
        if self.computed > self.limits.cpu {
            return Poll::Ready(InvokeError::CpuBudget(self.limits.cpu));
        }
        let (phase, limit) = self.progress.stage().limit(self.limits);
        let state = self.progress.state.load(Ordering::Relaxed);
        if state != self.seen {
            self.seen = state;
            self.deadline.as_mut().reset(tokio::time::Instant::now() + limit);
        }
        self.deadline.as_mut().poll(cx).map(|()| InvokeError::Deadline { phase, limit })
    }
}
