//! The project's own tasks: `cargo xtask --help`.

mod apt;
mod bench;
mod build_guest;
mod check;
mod floors;
mod guests;
mod lint;
mod python;
mod setup;
mod shell;
mod show;
mod test;
mod up;
mod wheel;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the fasterapi-host project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// From a clean clone to examples/items answering on 127.0.0.1:8000.
    Up(up::Up),
    /// Sets everything up and runs every check and test; what CI runs.
    Test,
    /// Formatting, clippy, cargo-deny and the floors.
    Lint,
    /// Builds the component of every example and test guest, and lists them.
    Guests,
    /// Builds the component of one Python app, as `fasterapi-host build` does.
    BuildGuest(build_guest::BuildGuest),
    /// Builds the WASI wheels of guest-sdk/wasi-wheels and prints their folders.
    WasiWheels,
    /// Compiles `guest-sdk/snapshot` anew, into the tree.
    Snapshot,
    /// Makes the wheels `fasterapi` and `fasterapi-host`, and installs them in a trial environment.
    Wheel,
    /// Checks which crate may depend on which (host/ARCHITECTURE.md).
    Floors,
    /// Runs the benchmarks.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            show::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Up(task) => return task.run(),
        Task::Test => return test::run(),
        Task::Lint => lint::run()?,
        Task::Guests => guests::run()?,
        Task::BuildGuest(task) => task.run()?,
        Task::WasiWheels => {
            setup::wheels()?.iter().for_each(|folder| show::line(&folder.display().to_string()));
        }
        Task::Snapshot => setup::snapshot()?,
        Task::Wheel => wheel::run()?,
        Task::Floors => floors::run()?,
        Task::Bench(task) => task.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
