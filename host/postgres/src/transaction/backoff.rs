//! How long to wait before a transaction is run again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The first wait is shorter than this, each later one shorter than twice the one before ("full jitter").
const FIRST: Duration = Duration::from_millis(4);
const LONGEST: Duration = Duration::from_millis(250);

/// The wait before the try number `attempt`, counted from 0. Any `chance` is a fair draw if all are.
const fn wait(attempt: u32, chance: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << if attempt < 16 { attempt } else { 16 });
    let most = if doubled.as_nanos() < LONGEST.as_nanos() { doubled } else { LONGEST };
    Duration::from_nanos(chance % most.as_nanos() as u64)
}

pub(super) async fn pause(attempt: u32) {
    // Keyed at random by the standard library: enough to keep two transactions from meeting again and again.
    let chance = RandomState::new().hash_one(attempt);
    tokio::time::sleep(wait(attempt, chance)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_are_spread() {
        let most = |attempt| (0..5000).map(|n| wait(attempt, n * 199_999)).max().unwrap();
        assert!(most(0) < FIRST && most(0) > FIRST / 2);
        assert!(most(3) < FIRST * 8 && most(3) > FIRST * 4);
        for attempt in [6, 7, 20, u32::MAX] {
            assert!(most(attempt) < LONGEST && most(attempt) > LONGEST / 2, "{attempt}");
        }
        assert_eq!(wait(9, 0), Duration::ZERO);
    }
}
