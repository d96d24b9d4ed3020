//! What every task needs before it can build guests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fasterapi_builder::{Builder, Cache, pg_binaries};

use crate::{apt, show};

/// A builder with its Python environment and wheels made.
pub(crate) fn builder() -> Result<Builder> {
    let builder = Builder::new(Cache::open()?);
    apt::install(&builder.missing_packages()?)?;
    builder.prepare(&show::progress)?;
    Ok(builder)
}

/// The folders of the WASI wheels, all made.
pub(crate) fn wheels() -> Result<Vec<PathBuf>> {
    Ok(builder()?.all_wheels(&show::progress)?)
}

/// Compiles the snapshot's module from its source beside which it stands.
pub(crate) fn snapshot() -> Result<()> {
    let module = builder()?.snapshot_module(&show::progress)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk/snapshot");
    let file = folder.join("_fasterapi_snapshot.cpython-314-wasm32-wasi.so");
    std::fs::write(&file, module).with_context(|| format!("cannot write {}", file.display()))
}

/// The folder of Postgres programs to give to the tests: the pinned ones, so that a server of the system's, which may be
/// there only for [`postgres_with_tls`], does not take their place.
pub(crate) fn postgres() -> Result<Option<PathBuf>> {
    if std::env::var_os("FASTERAPI_PG_BIN").is_some() {
        return Ok(None);
    }
    Ok(Some(pg_binaries::ensure(&Cache::open()?, &show::progress)?))
}

/// Debian's Postgres, for the tests of log-ins (`secure` in host/postgres): the pinned programs were built without TLS.
pub(crate) fn postgres_with_tls() -> Result<()> {
    let has_server = |version: std::fs::DirEntry| version.path().join("bin/postgres").is_file();
    let mut versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    if versions.any(has_server) {
        return Ok(());
    }
    apt::install(&["postgresql-common"])?;
    no_cluster_of_debians()?;
    apt::install(&["postgresql"])
}

/// What makes a network with a firewall in it, for the tests of connections that one cuts (`firewall` in host/postgres): as
/// root, which alone may make networks. Who is not root passes them over.
pub(crate) fn firewall() -> Result<()> {
    let programs = [("iproute2", "ip"), ("nftables", "nft")];
    let is_there =
        |name| ["/usr/sbin", "/sbin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(name).is_file());
    let missing = programs.iter().filter(|(_, program)| !is_there(program)).map(|(package, _)| *package);
    if apt::is_root() { apt::install(&missing.collect::<Vec<_>>()) } else { Ok(()) }
}

/// Installing the server would make a cluster and start it.
fn no_cluster_of_debians() -> Result<()> {
    const NO_CLUSTER: &str = "\ncreate_main_cluster = false\n";
    let file = "/etc/postgresql-common/createcluster.conf";
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{file}`"))?;
    std::fs::write(file, text + NO_CLUSTER).with_context(|| format!("cannot write `{file}`"))
}
