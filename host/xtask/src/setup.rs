//! What every task needs before it can build guests.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fasterapi_builder::{Builder, Cache, pg_binaries};

use crate::{apt, show};

/// A builder with its Python environment and wheels made.
pub(crate) fn builder() -> Result<Builder> {
    let builder = Builder::new(Cache::open()?);
    apt::install(&builder.missing_packages()?)?;
    builder.prepare(&show::progress)?;
    Ok(builder)
}

/// The folder of the WASI wheels.
pub(crate) fn wheels() -> Result<PathBuf> {
    Ok(builder()?.prepare(&show::progress)?)
}

/// The folder of Postgres programs to give to the tests; none when they find a server's by themselves.
pub(crate) fn postgres() -> Result<Option<PathBuf>> {
    if std::env::var_os("FASTERAPI_PG_BIN").is_some() || has_system_postgres() {
        return Ok(None);
    }
    Ok(Some(pg_binaries::ensure(&Cache::open()?, &show::progress)?))
}

fn has_system_postgres() -> bool {
    let complete = |folder: &Path| folder.join("postgres").is_file() && folder.join("initdb").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path).any(|folder| complete(&folder))
        || debian.map(|version| version.path().join("bin")).any(|folder| complete(&folder))
}
