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
    /// Of them, those of the route that asks.
    pub alive_here: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Whether the request has waited its turn for an instance of its route: see [`has_waited`].
    pub waited: bool,
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
    } else if counts.alive_here > 0 && !counts.waited && counts.waiting < limits.max_waiting {
        Decision::Wait
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

/// The least and the most that a request waits for an instance of its route while cores are idle.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A route none of whose instances came back for this long is stalled.
const STALLED: Duration = Duration::from_millis(100);

/// Whether the first in a route's queue has waited long enough to get one more instance. One that will be back before
/// another could be made is worth waiting for. Where every core is busy, another one only takes from the others, so
/// there the queue goes on waiting while it moves; one long computation does not hold it up for ever.
///
/// `waited` is its own time in the queue, `still` the time since an instance of its route was last handed on.
#[must_use]
pub fn has_waited(waited: Duration, still: Duration, make_time: Duration, idle_cores: usize) -> bool {
    let (least, most) = PATIENCE;
    if idle_cores > 0 { waited >= make_time.clamp(least, most) } else { waited.min(still) >= STALLED }
}

/// How often a queue is looked at.
#[must_use]
pub fn look_interval(make_time: Duration) -> Duration {
    make_time.clamp(PATIENCE.0, PATIENCE.1)
}

/// How many spares to discard: what is more than wanted and has been a spare for too long (`stale` of them).
#[must_use]
pub const fn spares_surplus(spares: usize, wanted: usize, stale: usize) -> usize {
    let surplus = spares.saturating_sub(wanted);
    if surplus < stale { surplus } else { stale }
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
            for (live, waiting, alive_here, waited) in range().flat_map(|live| {
                range().flat_map(move |waiting| {
                    let rest = [(0, false), (0, true), (1, false), (1, true), (2, false)];
                    rest.map(|(alive_here, waited)| (live, waiting, alive_here, waited))
                })
            }) {
                let counts = Counts { idle_here, idle_elsewhere, spares, live, alive_here, waiting, waited };
                let may_wait = waiting < LIMITS.max_waiting;
                let possible = [
                    (Decision::Reuse, idle_here > 0),
                    (Decision::Wait, alive_here > 0 && !waited && may_wait),
                    (Decision::Bind, spares > 0),
                    (Decision::Make, live < LIMITS.max_instances),
                    (Decision::Replace, idle_elsewhere > 0),
                    (Decision::Wait, may_wait),
                    (Decision::Refuse, true),
                ];
                let cheapest = possible.iter().find(|(_, possible)| *possible).unwrap().0;
                assert_eq!(decide(counts, &LIMITS), cheapest, "{counts:?}");
            }
        }
    }

    #[test]
    fn a_queue_gets_another_instance_only_where_that_helps() {
        let millis = Duration::from_millis;
        let waited = |waited, still, make_time, idle| {
            has_waited(millis(waited), millis(still), millis(make_time), idle)
        };
        assert!(!waited(9, 9, 10, 1), "one is back sooner than another is made");
        assert!(waited(10, 0, 10, 1));
        assert!(!waited(0, 0, 0, 1), "there is always some patience");
        assert!(waited(50, 0, 10_000, 1), "but not without end");
        assert!(!waited(10_000, 99, 10, 0), "every core is busy and the queue moves");
        assert!(waited(100, 100, 10, 0), "it does not move");
        assert!(!waited(99, 10_000, 10, 0), "the route was idle before");
    }

    #[test]
    fn only_stale_spares_beyond_the_wanted_go() {
        for (spares, wanted, stale, expected) in
            [(3, 1, 3, 2), (3, 1, 1, 1), (3, 1, 0, 0), (1, 1, 1, 0), (0, 1, 0, 0), (1, 0, 1, 1)]
        {
            assert_eq!(spares_surplus(spares, wanted, stale), expected);
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
