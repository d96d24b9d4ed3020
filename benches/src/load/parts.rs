//! Single calls, one after the other: what an app waits for a statement, in the component and natively.
//!
//! `pgbench` stands for what the server and its socket take: it is libpq in C, with the same statement prepared.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::database::{Database, tool};
use super::http::{self, Head};
use super::launch::{Launcher, on_core};
use super::measure::median;
use super::options::Options;
use super::scenario::App;
use super::server::Server;
use crate::apps;

/// One kind of call.
struct Part {
    name: &'static str,
    /// Its name in the apps.
    path: &'static str,
    /// Calls in a turn.
    count: u64,
    /// For pgbench.
    script: &'static str,
}

const PARTS: [Part; 2] = [
    Part {
        name: "one row by its key, `.one()`",
        path: "select",
        count: 5000,
        script: "\\set id random(1, 10000)\nSELECT id, randomnumber AS \"randomNumber\" FROM world WHERE id = :id;\n",
    },
    Part {
        name: "1,000 rows x 5 columns to tuples",
        path: "rows",
        count: 300,
        script: "SELECT id, name, price, taken, valid FROM reading ORDER BY id;\n",
    },
];

/// Microseconds a call.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Native {
    psycopg: f64,
    psycopg_decoding: f64,
    asyncpg: f64,
}

/// The table, where the options want it.
pub fn measure(
    options: &Options,
    database: &Database,
    launcher: &Launcher,
    server: &Server,
) -> Result<Option<String>> {
    let mut lines = Vec::new();
    for part in PARTS.iter().filter(|part| options.wants(part.name)) {
        lines.push(part.alternate(options, database, launcher, server)?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let head = "| a call, µs | component | libpq (pgbench) | component − libpq | psycopg | of it decoding, in C | asyncpg |\n\
                |---|--:|--:|--:|--:|--:|--:|";
    Ok(Some(format!("{head}\n{}", lines.join("\n"))))
}

impl Part {
    fn alternate(
        &self,
        options: &Options,
        database: &Database,
        launcher: &Launcher,
        server: &Server,
    ) -> Result<String> {
        let mut rounds = Vec::new();
        for number in 1..=options.rounds {
            let ours = self.in_component(server)?;
            let round = (ours, self.by_pgbench(database)?, self.natively(launcher)?);
            println!("    {}: round {number}: {ours:.1} µs", self.name);
            rounds.push(round);
        }
        let middle = |of: fn(&(f64, f64, Native)) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            median(&values)
        };
        let (ours, libpq) = (middle(|round| round.0), middle(|round| round.1));
        let native = [
            middle(|round| round.2.psycopg),
            middle(|round| round.2.psycopg_decoding),
            middle(|round| round.2.asyncpg),
        ];
        let [psycopg, decoding, asyncpg] = native;
        let (name, beyond) = (self.name, ours - libpq);
        Ok(format!(
            "| {name} | {ours:.1} | {libpq:.1} | {beyond:.1} | {psycopg:.1} | {decoding:.1} | {asyncpg:.1} |"
        ))
    }

    fn in_component(&self, server: &Server) -> Result<f64> {
        let path = format!("/parts/{}?count={}", self.path, self.count);
        let mut answer = Vec::new();
        let head = Head { method: "GET", path: &path, headers: &[] };
        let status = http::exchange(server.addr, head, (std::io::empty(), 0), &mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        ensure!(status == 200, "{path} answered {status} {text}");
        text.parse().with_context(|| format!("{path} answered {text}"))
    }

    fn natively(&self, launcher: &Launcher) -> Result<Native> {
        let mut command = launcher.peers_program("python", App::Postgres)?;
        let text = output(command.args(["-m", "peers.parts", self.path, &self.count.to_string()]))?;
        serde_json::from_str(&text).with_context(|| format!("peers/parts.py printed {text}"))
    }

    fn by_pgbench(&self, database: &Database) -> Result<f64> {
        let script = apps::cache_folder()?.join(self.path).with_extension("sql");
        fs::write(&script, self.script)?;
        let mut command = on_core(&tool("pgbench"), App::Postgres);
        command.args(["--no-vacuum", "--protocol", "prepared", "--transactions", &self.count.to_string()]);
        let text = output(command.arg("--file").arg(script).arg(database.url()))?;
        let rate =
            text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        Ok(1e6 / rate.with_context(|| format!("pgbench printed {text}"))?)
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
