//! Times, counted by their size.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The first bucket holds what took up to 32 microseconds; each other what took up to twice as long as the one before
/// it; the last, all the rest.
const FIRST: u64 = 32;
const BUCKETS: usize = 24;

/// Counts of times, each in the bucket of its power of two.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

impl Histogram {
    pub(super) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn report(&self) -> Times {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let count = counts.iter().sum();
        let total = self.micros.load(Ordering::Relaxed);
        let at = |part: u64| quantile(&counts, part);
        Times { count, total, p50: at(50), p95: at(95), p99: at(99), buckets: buckets(&counts) }
    }
}

fn bucket_of(micros: u64) -> usize {
    let doublings = micros.div_ceil(FIRST).max(1).next_power_of_two().trailing_zeros();
    (doublings as usize).min(BUCKETS - 1)
}

/// The longest time of a bucket in microseconds; none for the last.
fn most(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| FIRST << bucket)
}

fn buckets(counts: &[u64]) -> Vec<(Option<u64>, u64)> {
    let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    used.map(|(bucket, count)| (most(bucket), *count)).collect()
}

/// The end of the bucket that `part` in a hundred of the times do not go beyond.
fn quantile(counts: &[u64], part: u64) -> Option<u64> {
    let wanted = (counts.iter().sum::<u64>() * part).div_ceil(100);
    let mut seen = 0;
    let bucket = counts.iter().position(|count| {
        seen += count;
        seen >= wanted && wanted > 0
    })?;
    most(bucket)
}

/// Times as a report has them, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Times {
    /// How many were counted.
    pub count: u64,
    /// All together.
    pub total: u64,
    /// Half of them took no longer, to the next power of two times 32. None: nothing was counted, or it is beyond the
    /// last bucket.
    pub p50: Option<u64>,
    /// The same of 95 in a hundred.
    pub p95: Option<u64>,
    /// The same of 99 in a hundred.
    pub p99: Option<u64>,
    /// The longest time of each bucket that is not empty (none for the last), and its count.
    pub buckets: Vec<(Option<u64>, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_bucket_of_their_size() {
        let histogram = Histogram::default();
        for micros in [0, 32, 33, 64, 1000, 5_000_000_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let report = histogram.report();
        assert_eq!(report.buckets, [(Some(32), 2), (Some(64), 2), (Some(1024), 1), (None, 1)]);
        assert_eq!((report.count, report.total), (6, 5_000_001_129));
        assert_eq!((report.p50, report.p95, report.p99), (Some(64), None, None));
        histogram.add(Duration::MAX);
        assert_eq!(histogram.report().count, 7);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Histogram::default().report(), Times::default());
    }
}
