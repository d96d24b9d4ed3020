//! Rounds: each server in turn, again and again, and the medians of what was seen.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::database::Database;
use super::options::Options;
use super::scenario::Scenario;
use super::server::{self, Kind, Server};
use super::wrk::{self, Load};
use super::{Rows, Servers};
use crate::process::{self, Cpu};

const WARM_UP: Duration = Duration::from_secs(2);

/// One turn of one server.
#[derive(Clone, Copy, Debug)]
struct Round {
    load: Load,
    /// Microseconds of CPU time per request.
    user: f64,
    system: f64,
    /// The same of the database's.
    database: f64,
    /// The part of the server's core that others used.
    others: f64,
    /// How busy the load's core was: near 1, it is what is measured.
    loaded: f64,
}

/// A line of the table: medians over the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub kind: Kind,
    pub per_second: f64,
    pub slowest: f64,
    pub fastest: f64,
    pub p50: f64,
    pub p99: f64,
    pub user: f64,
    pub system: f64,
    pub database: f64,
    pub others: f64,
    pub loaded: f64,
}

/// Measures `scenario` on all servers, which use `database` if there is one.
pub fn alternate(
    options: &Options,
    servers: &Servers,
    database: Option<&Database>,
    scenario: &Scenario,
) -> Result<Rows> {
    for server in servers {
        wrk::run(server.addr, scenario, options, WARM_UP)?;
    }
    let mut rounds: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
    for number in 1..=options.rounds {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            let round = turn(options, server, database, scenario)?;
            let (name, rate) = (server.kind.name(), round.load.per_second);
            println!("    {}: round {number}: {name} {rate:.0} requests/s", scenario.name);
            rounds.push(round);
        }
    }
    Ok(servers.iter().zip(&rounds).map(|(server, rounds)| row(server.kind, rounds)).collect())
}

fn turn(
    options: &Options,
    server: &Server,
    database: Option<&Database>,
    scenario: &Scenario,
) -> Result<Round> {
    let before = Clocks::read(server, database)?;
    let load = wrk::run(server.addr, scenario, options, options.round())?;
    let after = Clocks::read(server, database)?;
    let spent = after.server - before.server;
    let (busy, loaded) = (after.busy - before.busy, after.loaded - before.loaded);
    let elapsed = (after.at - before.at).as_secs_f64();
    let micros = |seconds: f64| seconds * 1e6 / load.requests;
    Ok(Round {
        load,
        user: micros(spent.user),
        system: micros(spent.system),
        database: micros((after.database - before.database).total()),
        others: ((busy.as_secs_f64() - spent.total()) / elapsed).max(0.0),
        loaded: loaded.as_secs_f64() / elapsed,
    })
}

/// What the kernel has counted until a moment.
struct Clocks {
    at: Instant,
    server: Cpu,
    database: Cpu,
    /// The servers' core.
    busy: Duration,
    /// The load's core.
    loaded: Duration,
}

impl Clocks {
    fn read(server: &Server, database: Option<&Database>) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: server.cpu()?,
            database: database.map(Database::cpu).unwrap_or_default(),
            busy: process::core_busy(server::CORE)?,
            loaded: process::core_busy(wrk::CORE)?,
        })
    }
}

fn row(kind: Kind, rounds: &[Round]) -> Row {
    let sorted = |of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let median = |of| median(&sorted(of));
    let rates = sorted(|round| round.load.per_second);
    Row {
        kind,
        per_second: median(|round| round.load.per_second),
        slowest: rates.first().copied().unwrap_or_default(),
        fastest: rates.last().copied().unwrap_or_default(),
        p50: median(|round| round.load.p50),
        p99: median(|round| round.load.p99),
        user: median(|round| round.user),
        system: median(|round| round.system),
        database: median(|round| round.database),
        others: median(|round| round.others),
        loaded: median(|round| round.loaded),
    }
}

/// Of sorted values; of an even number of them, the upper of the middle two.
pub fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians() {
        let round = |rate: f64| Round {
            load: Load { requests: rate, per_second: rate, p50: 1.0, p99: 2.0 },
            user: rate * 2.0,
            system: 1.0,
            database: 0.0,
            others: 0.0,
            loaded: 0.5,
        };
        let row = row(Kind::Uvicorn, &[round(30.0), round(10.0), round(20.0)]);
        assert_eq!((row.slowest, row.per_second, row.fastest, row.user), (10.0, 20.0, 30.0, 40.0));
    }
}
