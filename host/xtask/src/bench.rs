//! `cargo xtask bench`: a door to the benches crate.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{apt, setup, shell};

#[derive(Args)]
pub(crate) struct Bench {
    /// Which benchmarks.
    which: Which,
    /// Passed on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// The same app under this host and its peers: requests per second, latency, memory.
    Load,
    /// Requests that use Postgres, beside FastAPI with asyncpg and with psycopg; COPY beside psql; single calls.
    Postgres,
    /// From a change of an app's file to the first answer that has it, beside uvicorn --reload.
    Reload,
    /// Criterion: one operation at a time.
    Micro,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        setup::builder()?;
        let mut command = match self.which {
            Which::Load => under_load("load")?,
            Which::Postgres => under_load("postgres")?,
            Which::Reload => program("reload")?,
            // With the features of the workspace, as `shell::programs` has them.
            Which::Micro => {
                shell::cargo(["bench", "--profile", "release", "--workspace", "--bench", "micro", "--"])
            }
        };
        if let Some(folder) = setup::postgres()? {
            command.env("FASTERAPI_PG_BIN", folder);
        }
        shell::run(command.args(self.arguments))
    }
}

/// A benchmark that needs a load generator.
fn under_load(name: &str) -> Result<Command> {
    if !Path::new("/usr/bin/wrk").exists() {
        apt::install(&["wrk"])?;
    }
    program(name)
}

/// A benchmark's program. The host, which it starts, is built once it runs.
fn program(name: &str) -> Result<Command> {
    let mut command = Command::new(shell::programs(&[name])?.join(name));
    command.current_dir(shell::root()).stdin(Stdio::null());
    Ok(command)
}
