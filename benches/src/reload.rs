//! From a change of an app's file to the first answer that has it: `fasterapi-host dev` beside `uvicorn --reload`.
//!
//! Both serve copies of the same FastAPI app (`apps/plain`) at the same time; a round changes one of them, then the other. The
//! clock starts when the file has been written, and a request asks every 5 ms, over a connection of its own.
#![allow(clippy::disallowed_methods, reason = "a program of one thread, which waits between two questions")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::{Head, Peers, build_host, exchange, free_address, median};
use crate::{apps, machine, results};

/// What is measured, and how often.
#[derive(Debug, clap::Parser)]
pub struct Options {
    /// Changes of each server's app
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Puts the table into RESULTS.md
    #[arg(long)]
    write_results: bool,
}

const PATIENCE: Duration = Duration::from_secs(120);
const ASKED_EVERY: Duration = Duration::from_millis(5);
const MARK: &str = "\n@app.get(\"/reload-mark\")\ndef reload_mark() -> str:\n    return \"MARK\"\n";

/// Runs it, and prints the table.
///
/// # Errors
/// A server does not start, or a change does not arrive.
pub fn run(options: &Options) -> Result<()> {
    let peers = Peers::ensure()?;
    let host = Served::start("fasterapi-host dev", |folder, addr| {
        let mut command = Command::new(build_host()?);
        command.args(["dev", "-C"]).arg(folder).args([
            "--addr",
            &addr.to_string(),
            "--pg",
            "none",
            "--log",
            "warn",
        ]);
        Ok(command)
    })?;
    let uvicorn = Served::start("uvicorn --reload", |folder, addr| {
        let mut command = Command::new(peers.program("uvicorn"));
        command.args(["main:app", "--reload", "--log-level", "warning", "--port", &addr.port().to_string()]);
        command.current_dir(folder);
        Ok(command)
    })?;
    let mut served = [(host, Vec::new()), (uvicorn, Vec::new())];
    for round in 0..options.rounds {
        for (server, times) in &mut served {
            times.push(server.change(&format!("round {round}"))?.as_secs_f64());
        }
    }
    let mut table = format!(
        "{}\n- peers: {}\n\n",
        machine::describe(),
        peers.versions(&["uvicorn", "watchfiles", "fastapi"])?
    );
    table.push_str("| server | median | fastest | slowest |\n|---|--:|--:|--:|\n");
    for (server, times) in &mut served {
        times.sort_by(f64::total_cmp);
        let [fastest, slowest] = [times.first(), times.last()].map(|time| time.copied().unwrap_or_default());
        let (name, middle) = (server.name, median(times));
        table.push_str(&format!("| {name} | {middle:.2} s | {fastest:.2} s | {slowest:.2} s |\n"));
    }
    println!("{table}");
    if options.write_results {
        results::write("reload", &table)?;
    }
    Ok(())
}

/// A server of a copy of the app.
struct Served {
    name: &'static str,
    main: PathBuf,
    app: String,
    addr: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(name: &'static str, command: impl Fn(&Path, SocketAddr) -> Result<Command>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for entry in fs::read_dir(apps::folder("plain"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
            }
        }
        let main = folder.path().join("main.py");
        let app = fs::read_to_string(&main)?;
        let addr = free_address()?;
        let child = command(folder.path(), addr)?.stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {name}"))?;
        let mut served = Self { name, main, app, addr, child, _folder: folder };
        served.change("before the first")?;
        Ok(served)
    }

    /// Changes the app; how long it took until an answer had the change.
    fn change(&mut self, mark: &str) -> Result<Duration> {
        fs::write(&self.main, self.app.clone() + &MARK.replace("MARK", mark))?;
        let begun = Instant::now();
        while !self.says(mark) {
            ensure!(begun.elapsed() < PATIENCE, "{}: a change did not arrive", self.name);
            std::thread::sleep(ASKED_EVERY);
        }
        Ok(begun.elapsed())
    }

    fn says(&self, mark: &str) -> bool {
        let mut body = Vec::new();
        let head = Head { method: "GET", path: "/reload-mark", headers: &[] };
        let asked = exchange(self.addr, head, (std::io::empty(), 0), &mut body);
        asked.is_ok_and(|status| status == 200) && String::from_utf8_lossy(&body).contains(mark)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // uvicorn's reloader passes a kill on to nobody: it is asked to end.
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        drop((asked, self.child.wait()));
    }
}
