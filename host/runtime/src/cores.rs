//! How busy the cores are that serve. The pools ask: while all are busy, one more instance at work takes from the
//! caches and adds nothing; while one has nothing to do, another request could use it.

use std::time::Duration;

use tokio::{runtime::Handle, time::Instant};

/// The time that the threads of a runtime spent at work.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// So far, all threads together. What a thread does now may not be in it yet.
    pub busy: Duration,
    /// The threads: one a core.
    pub cores: usize,
}

impl Work {
    /// Of the runtime that this is called in.
    pub(crate) fn of_this_runtime() -> Self {
        let Ok(runtime) = Handle::try_current() else { return Self { busy: Duration::ZERO, cores: 1 } };
        let metrics = runtime.metrics();
        let cores = metrics.num_workers();
        Self { busy: (0..cores).map(|core| metrics.worker_total_busy_duration(core)).sum(), cores }
    }
}

/// Compares the work at two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge {
    then: Instant,
    work: Work,
}

/// Shorter times say little: a thread counts its work when it pauses.
const WINDOW: Duration = Duration::from_millis(20);

impl Gauge {
    pub(crate) fn new(work: Work) -> Self {
        Self { then: Instant::now(), work }
    }

    pub(crate) const fn cores(&self) -> usize {
        self.work.cores
    }

    /// What part of their time the cores worked since the last answer: 0 to 1. None: too soon.
    pub(crate) fn read(&mut self, work: impl FnOnce() -> Work) -> Option<f64> {
        let now = Instant::now();
        let passed = now - self.then;
        if passed < WINDOW {
            return None;
        }
        let work = work();
        let busy = work.busy.saturating_sub(self.work.busy).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a few cores")]
        let could = passed.as_secs_f64() * work.cores as f64;
        *self = Self { then: now, work };
        Some((busy / could).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gauge_reads_the_part_of_the_time_that_was_worked() {
        let work = |millis| Work { busy: Duration::from_millis(millis), cores: 2 };
        let mut gauge = Gauge::new(work(100));
        tokio::time::advance(Duration::from_millis(19)).await;
        assert_eq!(gauge.read(|| unreachable!()), None);
        tokio::time::advance(Duration::from_millis(31)).await;
        assert_eq!(gauge.read(|| work(125)), Some(0.25));
        tokio::time::advance(Duration::from_millis(50)).await;
        assert_eq!(gauge.read(|| work(999)), Some(1.0), "a long piece of work is counted at its end");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_runtime_tells_its_work() {
        let before = tokio::spawn(async { Work::of_this_runtime() }).await.unwrap();
        tokio::spawn(async {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
        });
        let told = async {
            while tokio::spawn(async { Work::of_this_runtime().busy }).await.unwrap() - before.busy
                < Duration::from_millis(30)
            {}
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
        assert_eq!(before.cores, 1);
    }
}
