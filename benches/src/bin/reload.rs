//! `cargo xtask bench reload`; see [`fasterapi_benches::reload`].

use clap::Parser;
use fasterapi_benches::reload::{self, Options};

fn main() -> anyhow::Result<()> {
    reload::run(&Options::parse())
}
