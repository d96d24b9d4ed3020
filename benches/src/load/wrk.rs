//! The load generator: wrk, on a core of its own. Chosen because it is small and in Debian, its loop is closed (a
//! connection sends its next request when it has the last answer), and it spends some 5 us of its core on a request.
//! Where it has the core to itself it never sleeps (`awake.c`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::options::Options;
use super::scenario::{App, Scenario};
use crate::apps;

/// The core that the load comes from.
pub const CORE: usize = 1;

/// What `load.lua` prints.
#[derive(Deserialize)]
struct Printed {
    requests: u64,
    duration_us: u64,
    p50_us: u64,
    p99_us: u64,
    errors: u64,
}

/// What one run measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub requests: f64,
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// Whether wrk is there. Makes what keeps it awake.
pub fn find() -> Result<()> {
    let found = Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.context("wrk is not there\nhint: apt-get install wrk")?;
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-shared", "-fPIC", "-o"]).arg(awake()?).arg(apps::crate_folder().join("awake.c"));
    ensure!(compile.status().context("cannot run cc")?.success(), "awake.c does not compile");
    Ok(())
}

/// The library that keeps wrk awake.
fn awake() -> Result<PathBuf> {
    Ok(apps::cache_folder()?.join("awake.so"))
}

/// Whether wrk sleeps while it waits. Postgres has to have its share of the core.
pub fn sleeps(options: &Options, app: App) -> bool {
    options.sleeping_load || app == App::Postgres
}

/// Sends `scenario` to `addr` for `time`.
pub fn run(addr: SocketAddr, scenario: &Scenario, options: &Options, time: Duration) -> Result<Load> {
    let awake = if sleeps(options, scenario.app) { None } else { Some(awake()?) };
    let mut command = command(addr, scenario, options.connections, time, awake.as_deref());
    let output = command.output().context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {}\n{text}", output.status);
    let line =
        text.lines().find(|line| line.starts_with('{')).with_context(|| format!("wrk printed\n{text}"))?;
    let printed: Printed = serde_json::from_str(line)?;
    if printed.errors > 0 || printed.requests == 0 {
        bail!("{}: {} errors in {} requests", scenario.name, printed.errors, printed.requests);
    }
    Ok(Load {
        requests: printed.requests as f64,
        per_second: printed.requests as f64 / (printed.duration_us as f64 / 1e6),
        p50: printed.p50_us as f64 / 1e3,
        p99: printed.p99_us as f64 / 1e3,
    })
}

fn command(
    addr: SocketAddr,
    scenario: &Scenario,
    connections: u64,
    time: Duration,
    awake: Option<&Path>,
) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &CORE.to_string(), "wrk", "--threads", "1", "--timeout", "10s"]);
    command.args(["--connections", &connections.to_string(), "--duration", &format!("{}s", time.as_secs())]);
    command.arg("--script").arg(apps::crate_folder().join("load.lua"));
    command.arg(format!("http://{addr}{}", scenario.path)).args(["--", scenario.method, scenario.body]);
    for (name, value) in scenario.headers {
        command.args([name, value]);
    }
    if let Some(awake) = awake {
        command.env("LD_PRELOAD", awake);
    }
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}
