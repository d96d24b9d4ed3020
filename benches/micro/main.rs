//! `cargo xtask bench micro`: the parts of the host, one operation at a time.
//!
//! Criterion times each; the table has medians. Nothing else should run meanwhile: half of these are microseconds.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measures")]

mod against;
mod guest;
mod memory;
mod postgres;
mod route;
mod suite;

use std::path::PathBuf;

use clap::Parser;
use fasterapi_benches::{machine, results};

/// Times the parts of the host.
#[derive(Parser)]
#[command(name = "cargo xtask bench micro")]
struct Options {
    /// Only what has this in its name
    #[arg(default_value = "")]
    filter: String,
    /// Compare the warm calls with those of another build of the benchmark's app (an absolute path), by turns; may be repeated
    #[arg(long, value_name = "WASM", conflicts_with = "write_results")]
    against: Vec<PathBuf>,
    /// Write the table into benches/RESULTS.md
    #[arg(long)]
    write_results: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut suite = suite::Suite::new(&options.filter)?;
    if !options.against.is_empty() {
        println!("\n{}\n\n{}", machine::describe(), against::run(&suite, &options.against)?);
        return Ok(());
    }
    // First, while the process is small.
    let memory = memory::measure(&suite)?;
    route::run(&mut suite);
    guest::run(&mut suite)?;
    postgres::run(&mut suite)?;
    let text = format!("{}\n\n{}\n{memory}", machine::describe(), suite.table()?);
    println!("\n{text}");
    if options.write_results {
        results::write("micro", &text)?;
    }
    Ok(())
}
