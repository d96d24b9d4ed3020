//! The Postgres that all servers share: the embedded one, on the load's core, with the benchmark's data.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use fasterapi_postgres::embedded::{EmbeddedConfig, EmbeddedServer};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::scenario::App;
use super::wrk;
use crate::process::{self, Cpu};
use crate::{apps, machine};

const NAME: &str = "bench";

/// A running server. Stopped when dropped.
#[derive(Debug)]
pub struct Database {
    server: EmbeddedServer,
    /// Its first process, the ancestor of the others.
    postmaster: u32,
}

impl Database {
    /// Starts the server and makes the data. From then on this thread, and what it starts, is on the load's core.
    pub fn start() -> Result<Self> {
        pin(wrk::CORE)?;
        let config =
            EmbeddedConfig { data_dir: apps::cache_folder()?.join("postgres"), extra_bin_dirs: Vec::new() };
        let server = EmbeddedServer::start(&config)?;
        ensure!(!server.is_borrowed(), "another process runs the benchmark's Postgres: end it first");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(server.create_database(NAME))?;
        let database = Self { server, postmaster: postmaster()? };
        println!("==> make the data");
        let schema = apps::folder(App::Postgres.name()).join("schema.sql");
        run(database.psql().arg("--file").arg(schema))?;
        database.checkpoint()?;
        Ok(database)
    }

    /// How psql and others of this user reach it.
    pub fn url(&self) -> String {
        self.server.url(NAME)
    }

    /// psql on it, as an app.
    pub fn psql(&self) -> Command {
        psql(&self.url())
    }

    /// Writes what it holds in memory to its files, so that it does not in the middle of a measurement.
    pub fn checkpoint(&self) -> Result<()> {
        run(psql(&self.server.as_superuser().url(NAME)).args(["--command", "CHECKPOINT"]))
    }

    /// What a statement gives, as text.
    pub fn ask(&self, sql: &str) -> Result<String> {
        let output = self.psql().args(["--tuples-only", "--no-align", "--command", sql]).output()?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The CPU time of all its processes. One that ends while they are counted is counted the next time.
    pub fn cpu(&self) -> Cpu {
        let counted = process::tree(self.postmaster).into_iter().filter_map(|pid| process::cpu(&[pid]).ok());
        counted.fold(Cpu::default(), |sum, one| sum + one)
    }

    /// Its version and that of its tools.
    pub fn versions(&self) -> Result<String> {
        let psql = machine::output(&tool("psql").to_string_lossy(), &["--version"]);
        Ok(format!("PostgreSQL {} · {psql}", self.ask("SHOW server_version")?))
    }
}

/// psql without anybody's psqlrc.
fn psql(url: &str) -> Command {
    let mut command = Command::new(tool("psql"));
    command.args(["--no-psqlrc", "--quiet", "--dbname", url]).stdin(Stdio::null());
    command
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Binds the calling thread, and what it starts from now on, to a core.
pub fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("cannot use core {core}"))
}

/// A program of Postgres's: beside the server's where that was named, else the machine's.
pub fn tool(name: &str) -> PathBuf {
    let named = std::env::var_os("FASTERAPI_PG_BIN").map(|folder| Path::new(&folder).join(name));
    named.filter(|path| path.is_file()).unwrap_or_else(|| name.into())
}

/// Our child of this name.
fn postmaster() -> Result<u32> {
    let is_postgres = |pid: &u32| {
        let name = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("comm"));
        name.is_ok_and(|name| name.trim_end() == "postgres")
    };
    // Parents come before their children, and this program has the same name.
    process::tree(std::process::id())
        .into_iter()
        .skip(1)
        .find(is_postgres)
        .context("Postgres is no child of ours")
}
