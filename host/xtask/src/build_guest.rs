//! `cargo xtask build-guest`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use fasterapi_builder::{BuildRequest, Builder, Cache, Target};

use crate::show;

#[derive(Args)]
pub(crate) struct BuildGuest {
    /// The project's folder.
    dir: PathBuf,
    /// The app in it, as MODULE:ATTR.
    target: String,
    /// Where the component goes.
    output: PathBuf,
}

impl BuildGuest {
    pub(crate) fn run(self) -> Result<()> {
        let target: Target = self.target.parse()?;
        let request = BuildRequest { target, dir: self.dir, output: self.output };
        let built = Builder::new(Cache::open()?).build(&request, &show::progress)?;
        let state = if built.cached { ", unchanged" } else { "" };
        show::line(&format!("{} ({} bytes{state})", built.path.display(), built.bytes));
        Ok(())
    }
}
