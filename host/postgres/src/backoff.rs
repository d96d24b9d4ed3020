//! How long to wait before something is tried again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Waits that grow: the first is shorter than `first`, each later one shorter than twice the one before and than
/// `longest` ("full jitter").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// Waits before the try number `attempt`, counted from 0.
    pub(crate) async fn pause(self, attempt: u32) {
        // Keyed at random by the standard library: enough to keep two from meeting again and again.
        let chance = RandomState::new().hash_one(attempt);
        tokio::time::sleep(self.wait(attempt, chance)).await;
    }

    /// Any `chance` is a fair draw if all are.
    const fn wait(self, attempt: u32, chance: u64) -> Duration {
        let doubled = self.first.saturating_mul(1 << if attempt < 16 { attempt } else { 16 });
        let most = if doubled.as_nanos() < self.longest.as_nanos() { doubled } else { self.longest };
        Duration::from_nanos(chance % most.as_nanos() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_are_spread() {
        let (first, longest) = (Duration::from_millis(4), Duration::from_millis(250));
        let backoff = Backoff { first, longest };
        let most = |attempt| (0..5000).map(|n| backoff.wait(attempt, n * 199_999)).max().unwrap();
        assert!(most(0) < first && most(0) > first / 2);
        assert!(most(3) < first * 8 && most(3) > first * 4);
        for attempt in [6, 7, 20, u32::MAX] {
            assert!(most(attempt) < longest && most(attempt) > longest / 2, "{attempt}");
        }
        assert_eq!(backoff.wait(9, 0), Duration::ZERO);
    }
}
