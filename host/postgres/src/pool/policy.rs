//! What a call gets that found no idle session, and who shares with whom: pure, from counts alone.

use std::time::Duration;

/// How a pool stands when a call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Sessions that are open or being opened.
    pub(super) size: usize,
    pub(super) min_size: usize,
    pub(super) max_size: usize,
    /// Sessions that are being opened.
    pub(super) opening: usize,
    /// Calls that wait.
    pub(super) waiting: usize,
    pub(super) max_waiting: usize,
    pub(super) server: Server,
}

/// What is known of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// It let the last session in, or was not asked yet.
    Up,
    /// It did not, not long ago; whether it may be asked again now.
    Ailing { due: bool },
    /// As ailing, for longer than a call waits; or it refused for good (a wrong password).
    Down { due: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Open one, and wait for it or for one that is given back, whichever comes first.
    Open,
    /// Wait for one that is given back.
    Wait,
    Refuse(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many wait already.
    Full,
    /// The server has been out of reach for longer than a call waits, and no session is left.
    Down,
}

/// What a call gets for which no session is idle, or who has others before it.
pub(super) fn decide(counts: Counts) -> Decision {
    let Counts { size, waiting, max_waiting, server, .. } = counts;
    let opens = opens(Counts { waiting: waiting + 1, ..counts });
    match server {
        // One that is being opened is the server's chance to be back.
        Server::Down { .. } if size == 0 && !opens => Decision::Refuse(Refusal::Down),
        _ if waiting >= max_waiting => Decision::Refuse(Refusal::Full),
        _ if opens => Decision::Open,
        _ => Decision::Wait,
    }
}

/// Whether one more session is to be opened now: for a call that waits, or to have `min_size`. A server that failed
/// is asked by one attempt at a time.
pub(super) fn opens(counts: Counts) -> bool {
    let Counts { size, min_size, max_size, opening, waiting, server, .. } = counts;
    let open = size.saturating_sub(opening);
    let wanted = waiting.max(min_size.saturating_sub(open));
    let volley = match server {
        Server::Up => wanted,
        Server::Ailing { due: true } | Server::Down { due: true } => wanted.min(1),
        Server::Ailing { due: false } | Server::Down { due: false } => 0,
    };
    size < max_size && opening < volley
}

/// How many of the riders in line board a session that has `aboard` already: their share, so that no session of the
/// pool's stands still while another has them all; at most `most` together.
pub(super) fn boards(riders: usize, aboard: usize, sessions: usize, most: usize) -> usize {
    let share = (riders + aboard).div_ceil(sessions.max(1));
    share.min(most).saturating_sub(aboard).min(riders)
}

/// A pool that has waited this long for its only session gets another's only one.
const SLICE: Duration = Duration::from_millis(100);

/// Whether a pool of `owner` sessions closes one that was just given back, for a pool of `asker` that has starved for so
/// long: so that both have as many. Not more, or the same place would go to and fro, with a log-in each time.
pub(super) fn owes(owner: usize, asker: usize, is_waited_for: bool, starved: Duration) -> bool {
    asker + 1 < owner || (asker == 0 && (!is_waited_for || starved >= SLICE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [Server; 5] = [
        Server::Up,
        Server::Ailing { due: true },
        Server::Ailing { due: false },
        Server::Down { due: true },
        Server::Down { due: false },
    ];

    /// All states of a small pool that can be.
    fn all() -> impl Iterator<Item = Counts> {
        let range = |from: usize, to: usize| from..=to;
        range(1, 3).flat_map(move |max_size| {
            range(0, max_size).flat_map(move |min_size| {
                range(0, max_size).flat_map(move |size| {
                    range(0, size).flat_map(move |opening| {
                        range(0, 3).flat_map(move |max_waiting| {
                            range(0, max_waiting).flat_map(move |waiting| {
                                SERVERS.into_iter().map(move |server| Counts {
                                    size,
                                    min_size,
                                    max_size,
                                    opening,
                                    waiting,
                                    max_waiting,
                                    server,
                                })
                            })
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn every_state_has_its_decision() {
        let mut seen = std::collections::HashSet::new();
        for counts in all() {
            let decision = decide(counts);
            seen.insert(format!("{decision:?}"));
            let Counts { size, max_size, opening, waiting, max_waiting, server, .. } = counts;
            let failed = server != Server::Up;
            match decision {
                Decision::Open => {
                    assert!(size < max_size && waiting < max_waiting, "{counts:?}");
                    assert!(!failed || opening == 0, "a herd: {counts:?}");
                }
                Decision::Wait => assert!(waiting < max_waiting, "{counts:?}"),
                Decision::Refuse(Refusal::Full) => assert_eq!(waiting, max_waiting),
                Decision::Refuse(Refusal::Down) => {
                    assert!(matches!(server, Server::Down { .. }) && size == 0, "{counts:?}");
                }
            }
            // Who waits is sure that something comes: a session, an attempt, or the next attempt's time.
            if decision == Decision::Wait {
                assert!(size > 0 || failed, "{counts:?}");
            }
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
    }

    #[test]
    fn no_more_are_opened_than_wanted() {
        for counts in all() {
            let Counts { size, min_size, max_size, opening, waiting, server, .. } = counts;
            if opens(counts) {
                assert!(size < max_size && opening < waiting.max(min_size), "{counts:?}");
            } else if server == Server::Up && size < max_size {
                assert!(opening >= waiting && size >= min_size, "{counts:?}");
            }
        }
    }

    #[test]
    fn riders_spread_over_all_sessions() {
        for most in 0..5 {
            for sessions in 0..5 {
                for riders in 0..40 {
                    for aboard in 0..=most {
                        let boards = boards(riders, aboard, sessions, most);
                        assert!(boards <= riders && aboard + boards <= most);
                        let left = riders - boards;
                        let full = aboard + boards == most;
                        // The others have room for who is left, or this one is full.
                        assert!(full || left <= (aboard + boards) * sessions.saturating_sub(1));
                        assert!(boards == 0 || (aboard + boards - 1) * sessions.max(1) < riders + aboard);
                    }
                }
                assert_eq!(boards(sessions, 0, sessions, most), sessions.min(1).min(most), "each has one");
            }
        }
    }

    #[test]
    fn pools_under_a_cap_end_with_equal_shares() {
        let now = Duration::ZERO;
        for owner in 1..5 {
            for asker in 0..5 {
                let gives = owes(owner, asker, false, now);
                if gives && asker > 0 {
                    assert!(!owes(asker + 1, owner - 1, false, now), "to and fro: {owner} {asker}");
                }
                assert!(gives || asker + 1 >= owner);
                assert_eq!(owes(owner, asker, true, now), owner > asker + 1);
                assert!(owes(owner, 0, true, SLICE));
            }
        }
    }
}
