//! `cargo xtask bench load`; see [`fasterapi_benches::load`].

use clap::Parser;
use fasterapi_benches::load::{self, Options};

fn main() -> anyhow::Result<()> {
    load::run(&Options::parse())
}
