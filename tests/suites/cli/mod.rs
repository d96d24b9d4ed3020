//! The program: what it prints, how it ends, what it leaves.

mod build;
mod dev;
mod help;
mod isolation;
mod memory;
mod new;
mod python;
mod refusals;
mod routes;
mod serve;
mod status;

use std::{path::PathBuf, process::Command};

use fasterapi_tests::{
    Guest,
    process::{Ended, program, run},
};

/// The program with arguments.
fn host(args: &[&str]) -> Command {
    let mut command = program();
    command.args(args);
    command
}

/// Runs it; the input must be at fault: exit code 2, nothing on standard output, and one clear message, which is given.
async fn refused(args: &[&str]) -> String {
    message(run(host(args)).await)
}

fn message(ended: Ended) -> String {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("backtrace"), "{}", ended.stderr);
    ended.stderr
}

async fn component(guest: Guest) -> PathBuf {
    tokio::task::spawn_blocking(move || guest.component()).await.unwrap()
}
