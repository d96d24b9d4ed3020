//! What attempts to connect have shown of the server, and when to try again: pure, `now` and chance come in.

use std::time::{Duration, Instant};

use super::policy::Server;

/// The wait after the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(50);
/// A server that is back is found no later than this.
const LONGEST: Duration = Duration::from_secs(2);

/// The record of attempts.
#[derive(Debug, Default)]
pub(super) struct Health(Option<Outage>);

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The last failure that counted.
    last: Instant,
    next: Instant,
    failures: u32,
    /// The server answered, with a refusal that waiting does not change.
    refused: bool,
}

impl Health {
    /// An attempt succeeded.
    pub(super) fn succeeded(&mut self) {
        self.0 = None;
    }

    /// An attempt that began at `begun` failed. Those of one volley count once. `chance` is any number, each as likely
    /// as another.
    pub(super) fn failed(&mut self, begun: Instant, now: Instant, refused: bool, chance: u64) {
        let outage =
            self.0.get_or_insert(Outage { since: now, last: begun, next: now, failures: 0, refused });
        outage.refused = refused;
        if begun >= outage.last {
            outage.failures = outage.failures.saturating_add(1);
            outage.last = now;
            outage.next = now + wait(outage.failures, chance);
        }
    }

    /// Whether an attempt failed and none has succeeded since.
    pub(super) fn is_failing(&self) -> bool {
        self.0.is_some()
    }

    /// When to try again: now, if none.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.0.as_ref().map(|outage| outage.next).filter(|next| *next > now)
    }

    /// How the server stands for calls that wait for up to `patience`.
    pub(super) fn server(&self, now: Instant, patience: Duration) -> Server {
        let Some(outage) = &self.0 else { return Server::Up };
        let due = outage.next <= now;
        match outage.refused || now.duration_since(outage.since) >= patience {
            true => Server::Down { due },
            false => Server::Ailing { due },
        }
    }
}

/// Half of it is left to chance, so that many pools do not come at once.
fn wait(failures: u32, chance: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let most = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let spread = (most / 2).as_micros().max(1);
    most / 2 + Duration::from_micros((u128::from(chance) % spread) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn waits_double_within_their_bounds() {
        for (failures, most) in
            [(1, 50), (2, 100), (3, 200), (6, 1600), (7, 2000), (40, 2000), (u32::MAX, 2000)]
        {
            let most = Duration::from_millis(most);
            for chance in [0, 1, 12_345_678, u64::MAX] {
                let wait = wait(failures, chance);
                assert!(wait >= most / 2 && wait <= most, "{failures}: {wait:?}");
            }
        }
        assert_ne!(wait(3, 1), wait(3, 2));
    }

    #[test]
    fn an_outage_has_its_stages() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut health = Health::default();
        assert_eq!(health.server(at(0), PATIENCE), Server::Up);
        health.failed(at(0), at(10), false, 0);
        assert_eq!(health.next(at(10)), Some(at(35)));
        assert_eq!(health.server(at(11), PATIENCE), Server::Ailing { due: false });
        assert_eq!(health.server(at(35), PATIENCE), Server::Ailing { due: true });
        // Of the same volley.
        health.failed(at(5), at(12), false, 0);
        assert_eq!(health.next(at(12)), Some(at(35)));
        health.failed(at(40), at(50), false, 0);
        assert_eq!(health.next(at(50)), Some(at(100)));
        assert_eq!(health.server(at(5010), PATIENCE), Server::Down { due: true });
        health.succeeded();
        assert!(health.server(at(5010), PATIENCE) == Server::Up && !health.is_failing());
    }

    #[test]
    fn a_refusal_is_no_outage_to_wait_for() {
        let start = Instant::now();
        let mut health = Health::default();
        health.failed(start, start, true, 0);
        assert_eq!(health.server(start, PATIENCE), Server::Down { due: false });
        health.failed(start, start, false, 0);
        assert_eq!(health.server(start, PATIENCE), Server::Ailing { due: false });
    }
}
