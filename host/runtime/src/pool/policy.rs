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
    /// How many of these may serve at a time: see [`adjusted`].
    pub allowed_here: usize,
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
    let may_wait = counts.waiting < limits.max_waiting;
    if may_wait && counts.alive_here.saturating_sub(counts.idle_here) >= counts.allowed_here {
        Decision::Wait
    } else if counts.idle_here > 0 {
        Decision::Reuse
    } else if may_wait && counts.alive_here > 0 && !counts.waited {
        Decision::Wait
    } else if counts.spares > 0 {
        Decision::Bind
    } else if counts.live < limits.max_instances {
        Decision::Make
    } else if counts.idle_elsewhere > 0 {
        Decision::Replace
    } else if may_wait {
        Decision::Wait
    } else {
        Decision::Refuse
    }
}

/// How many instances of a route may serve at a time before anything is known.
#[must_use]
pub const fn allowed_first(cores: usize) -> usize {
    4 * cores
}

/// Busier than this, the cores are said to be busy all the time.
const SATURATED: f64 = 0.98;
/// Where the cores are to be: less than this, and they could take more requests.
const WORKING: f64 = 0.92;

/// How many instances of a route may serve at a time, after `allowed` of them kept the cores busy for this part of
/// their time: as few as keep them busy. Instances that wait leave a core to others, so there should be more of them
/// than cores; but each one at work has its own memory, and the more there are, the less of it stays in the caches.
#[must_use]
pub fn adjusted(allowed: usize, busy: f64, is_waited_for: bool, cores: usize, limits: &PoolLimits) -> usize {
    let least = cores.max(1);
    if busy > SATURATED {
        (allowed - allowed.div_ceil(8).min(allowed)).max(least)
    } else if busy < WORKING && is_waited_for {
        // Half of the way to where they would be busy; at most half as many again.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let more = (allowed as f64 * (WORKING / busy.max(WORKING / 2.0) - 1.0) / 2.0).ceil() as usize;
        (allowed + more.max(1)).min(limits.max_instances.max(least))
    } else {
        allowed
    }
}

/// The least and the most that a request waits for an instance of its route.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Whether the first in a route's queue has waited long enough to get one more instance. One that will be back before
/// another could be made is worth waiting for.
#[must_use]
pub fn has_waited(waited: Duration, make_time: Duration) -> bool {
    waited >= look_interval(make_time)
}

/// Whether a route's queue has stood still for so long that it gets an instance, however many serve already: those
/// may be waiting all for something slow, and busy cores must not hold up who waits behind them.
#[must_use]
pub fn is_stalled(waited: Duration, still: Duration, has_idle: bool) -> bool {
    const WITH_IDLE: Duration = Duration::from_millis(10);
    const WITHOUT: Duration = Duration::from_millis(100);
    waited.min(still) >= if has_idle { WITH_IDLE } else { WITHOUT }
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
                for allowed_here in 1..3 {
                    let alive_here = alive_here + idle_here;
                    let counts = Counts {
                        idle_here,
                        idle_elsewhere,
                        spares,
                        live,
                        alive_here,
                        allowed_here,
                        waiting,
                        waited,
                    };
                    let may_wait = waiting < LIMITS.max_waiting;
                    let possible = [
                        (Decision::Wait, may_wait && alive_here - idle_here >= allowed_here),
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
    }

    #[test]
    fn a_request_waits_about_as_long_as_an_instance_takes_to_make() {
        let waited =
            |waited, make_time| has_waited(Duration::from_millis(waited), Duration::from_millis(make_time));
        assert!(!waited(9, 10), "one is back sooner than another is made");
        assert!(waited(10, 10));
        assert!(!waited(0, 0), "there is always some patience");
        assert!(waited(50, 10_000), "but not without end");
    }

    #[test]
    fn a_queue_that_stands_still_is_helped() {
        let stalled = |waited, still, has_idle| {
            is_stalled(Duration::from_millis(waited), Duration::from_millis(still), has_idle)
        };
        assert!(!stalled(10_000, 99, false), "it moves");
        assert!(!stalled(99, 10_000, false), "it was empty before");
        assert!(stalled(100, 100, false));
        assert!(stalled(10, 10, true) && !stalled(9, 10, true), "an idle instance costs nothing");
    }

    #[test]
    fn as_few_instances_serve_as_keep_the_cores_busy() {
        let limits = PoolLimits { max_instances: 100, ..LIMITS };
        let after = |allowed, busy, wanted| adjusted(allowed, busy, wanted, 2, &limits);
        assert_eq!(after(16, 1.0, true), 14);
        assert_eq!(after(3, 1.0, true), 2);
        assert_eq!(after(2, 1.0, true), 2, "never fewer than cores");
        assert_eq!(after(16, 0.95, true), 16, "busy, and not too much");
        assert_eq!(after(16, 0.8, true), 18);
        assert_eq!(after(16, 0.0, true), 24);
        assert_eq!(after(16, 0.0, false), 16, "nobody asks for more");
        assert_eq!(after(90, 0.0, true), 100, "within the pool's limit");
        assert_eq!(after(0, 1.0, true), 2);
    }

    /// With requests that wait nine tenths of their time, and with some that do not wait at all.
    #[test]
    fn the_number_settles_wherever_it_starts() {
        let limits = PoolLimits { max_instances: 100, ..LIMITS };
        for (part, lowest, highest) in [(0.1, 18, 20), (1.0, 2, 2), (0.5, 3, 4)] {
            for start in [1usize, 8, 100] {
                let busy = |allowed: usize| (allowed as f64 * part / 2.0).min(1.0);
                let settled = (0..100).fold(start, |now, _| adjusted(now, busy(now), true, 2, &limits));
                assert!((lowest..=highest).contains(&settled), "{part} from {start}: {settled}");
            }
        }
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
