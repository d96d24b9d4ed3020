//! The rules that tools check.

use std::path::PathBuf;

use anyhow::Result;
use fasterapi_builder::Cache;

use crate::{floors, shell, show};

const CARGO_DENY: &str = "0.20.2";

/// Formatting, lints, the floors, and what cargo-deny says of the dependencies.
pub(crate) fn run() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    floors::run()?;
    deny()?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    shell::run(&mut shell::cargo(clippy))
}

/// Licences, bans and sources. Advisories need a database from outside and are left to who has a network.
fn deny() -> Result<()> {
    let program = cargo_deny()?;
    // It looks at the dependencies for every platform; a build fetches those for this one.
    shell::run(&mut shell::cargo(["fetch", "--locked"]))?;
    let mut command = shell::cargo(["deny"]);
    let folders = std::env::join_paths(path_with(&program))?;
    command.env("PATH", folders).args([
        "--offline",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]);
    shell::run(&mut command)
}

fn path_with(program: &std::path::Path) -> Vec<PathBuf> {
    let own = program.parent().map(ToOwned::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.into_iter().chain(std::env::split_paths(&path)).collect()
}

/// cargo-deny in the cache folder, compiled there on first use (minutes).
fn cargo_deny() -> Result<PathBuf> {
    let folder = Cache::open()?.root().join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        show::heading("compile cargo-deny (minutes, once)");
        let mut install =
            shell::cargo(["install", "cargo-deny", "--locked", "--quiet", "--version", CARGO_DENY]);
        // Built apart: the tool shares no profile with the workspace.
        shell::run(install.arg("--root").arg(&folder).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}
