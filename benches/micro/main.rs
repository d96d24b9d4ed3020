//! `cargo xtask bench micro`: the parts of the host, one operation at a time.
//!
//! Criterion times each; the table has medians. Nothing else should run meanwhile: half of these are microseconds.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measures")]

mod guest;
mod memory;
mod postgres;
mod route;
mod suite;

use clap::Parser;
use fasterapi_benches::{machine, results};

/// Times the parts of the host.
#[derive(Parser)]
#[command(name = "cargo xtask bench micro")]
struct Options {
    /// Only what has this in its name
    #[arg(default_value = "")]
    filter: String,
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
