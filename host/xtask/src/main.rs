//! The project's own tasks: `cargo xtask --help`.

mod build_guest;
mod show;

use std::process::ExitCode;

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
    /// Builds the component of one Python app, as `fasterapi-host build` does.
    BuildGuest(build_guest::BuildGuest),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::BuildGuest(task) => task.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&error);
            ExitCode::FAILURE
        }
    }
}
