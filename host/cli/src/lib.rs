//! The `fasterapi-host` command, and the composition root that it and the tests share.
//!
//! [`Server::start`] puts the floors together: databases, engine, revision, edge. [`main`] wraps it in a command
//! line. Input that is at fault ends a command with one clear message and exit code 2, before anything is started;
//! what fails later ends it with 1.

mod args;
mod build;
mod config;
mod database;
mod dev;
mod environment;
mod exit;
mod new;
mod output;
mod pg;
mod routes;
mod serve;
mod server;
mod status;

use std::process::ExitCode;

use clap::Parser;

pub use args::{LaneChoice, ServeArgs};
pub use config::{DatabaseTable, HostConfig};
pub use database::{DatabaseChoice, Databases};
pub use exit::Failure;
pub use server::{Server, ServerConfig};

use args::{Args, Command};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        Command::New(args) => new::run(&args),
        Command::Dev(args) => dev::run(args),
        Command::Build(args) => build::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Routes(args) => routes::run(&args),
        Command::Pg(args) => pg::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::failure(&failure),
    }
}
