//! What a pool decides, as pure functions of counts, limits and measured times: no clock, no lock, no I/O.

use std::time::Duration;

/// The bounds of a revision's pool.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// Instances alive at a time: serving, idle, spare and being made.
    pub max_instances: usize,
    /// Spares kept while nothing happens.
    pub min_spares: usize,
    /// Spares kept at most.
    pub max_spares: usize,
    /// Requests that may wait for an instance.
    pub max_waiting: usize,
    /// How long a request may wait for one.
    pub wait: Duration,
    /// How long an idle instance of a route is kept.
    pub max_idle: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            max_instances: 128,
            min_spares: 1,
            max_spares: 8,
            max_waiting: 1024,
            wait: Duration::from_secs(5),
            max_idle: Duration::from_secs(300),
        }
    }
}

/// What a pool holds at the moment of a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Idle instances of the route that asks.
    pub idle_here: usize,
    /// Idle instances of other routes.
    pub idle_elsewhere: usize,
    /// Spares, bound to no route.
    pub spares: usize,
    /// Instances alive: serving, idle, spare and being made.
    pub live: usize,
    /// Requests that wait.
    pub waiting: usize,
}

/// How a request gets its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The route's most recently used idle instance: its memory is warm in the caches.
    Reuse,
    /// A spare, bound to the route for good.
    Bind,
    /// One made now.
    Make,
    /// One made now, in the place of an idle instance of another route.
    Replace,
    /// It waits for one.
    Wait,
    /// It is refused: the queue is full.
    Refuse,
}

/// Decides for one request.
#[must_use]
pub const fn decide(counts: Counts, limits: &PoolLimits) -> Decision {
    if counts.idle_here > 0 {
        Decision::Reuse
    } else if counts.spares > 0 {
        Decision::Bind
    } else if counts.live < limits.max_instances {
        Decision::Make
    } else if counts.idle_elsewhere > 0 {
        Decision::Replace
    } else if counts.waiting < limits.max_waiting {
        Decision::Wait
    } else {
        Decision::Refuse
    }
}

/// How many spares there should be: enough for the routes that will ask for one while the next is being made, which
/// is the rate of binding times the time to make one, twice over for bursts.
#[must_use]
pub fn spares_wanted(bound_per_second: f64, make_time: Duration, limits: &PoolLimits) -> usize {
    let asked_meanwhile = (bound_per_second.max(0.0) * make_time.as_secs_f64() * 2.0).ceil();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to small positive numbers"
    )]
    let wanted = asked_meanwhile.min(1e6) as usize;
    wanted.clamp(limits.min_spares.min(limits.max_spares), limits.max_spares)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PoolLimits = PoolLimits {
        max_instances: 3,
        min_spares: 1,
        max_spares: 4,
        max_waiting: 2,
        wait: Duration::from_secs(1),
        max_idle: Duration::from_secs(1),
    };

    /// Every combination of small counts gets the first decision, in order of cost, that its counts allow.
    #[test]
    fn decisions_are_the_cheapest_possible() {
        let range = || 0..4usize;
        for (idle_here, idle_elsewhere, spares) in
            range().flat_map(|a| range().flat_map(move |b| range().map(move |c| (a, b, c))))
        {
            for (live, waiting) in range().flat_map(|live| range().map(move |waiting| (live, waiting))) {
                let counts = Counts { idle_here, idle_elsewhere, spares, live, waiting };
                let possible = [
                    (Decision::Reuse, idle_here > 0),
                    (Decision::Bind, spares > 0),
                    (Decision::Make, live < LIMITS.max_instances),
                    (Decision::Replace, idle_elsewhere > 0),
                    (Decision::Wait, waiting < LIMITS.max_waiting),
                    (Decision::Refuse, true),
                ];
                let cheapest = possible.iter().find(|(_, possible)| *possible).unwrap().0;
                assert_eq!(decide(counts, &LIMITS), cheapest, "{counts:?}");
            }
        }
    }

    #[test]
    fn spares_follow_the_rate_within_bounds() {
        let wanted = |rate, millis| spares_wanted(rate, Duration::from_millis(millis), &LIMITS);
        assert_eq!(wanted(0.0, 10), 1);
        assert_eq!(wanted(100.0, 10), 2);
        assert_eq!(wanted(1e9, 10), 4);
        assert_eq!(wanted(f64::NAN, 10), 1);
    }
}
