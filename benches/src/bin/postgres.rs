//! `cargo xtask bench postgres`; see [`fasterapi_benches::load`].

use clap::Parser;
use fasterapi_benches::load::{self, Options};

fn main() -> anyhow::Result<()> {
    load::run_postgres(&Options::parse())
}
