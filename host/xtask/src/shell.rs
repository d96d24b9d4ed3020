//! The checkout, and running programs in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::show;

/// The checkout's top folder. cargo says where this package is; a binary run by hand knows where it was built.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(package);
    package.ancestors().nth(2).unwrap_or(&package).to_owned()
}

/// The cargo that runs this, in the checkout.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    outside_of_package(&mut command);
    command
}

/// Takes from a program what cargo told us of this package: it is wrong for any other, and ring, whose build script reads it,
/// would be compiled anew, with all above it, by each cargo that is told something else.
pub(crate) fn outside_of_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_of_package = |start| name.to_string_lossy().starts_with(start);
        if is_of_package("CARGO_MANIFEST_") || is_of_package("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
}

/// Builds programs of the workspace as its tests are built, and gives their folder.
pub(crate) fn programs(names: &[&str]) -> Result<PathBuf> {
    build(names, &[])?;
    Ok(target()?.join("debug"))
}

/// Builds the host's program as users get it.
pub(crate) fn host() -> Result<PathBuf> {
    build(&["fasterapi-host"], &["--release"])?;
    Ok(target()?.join("release/fasterapi-host"))
}

/// All are built with the features that the whole workspace asks for: one of its packages alone may ask for fewer, and
/// cargo would compile wasmtime once more.
fn build(names: &[&str], options: &[&str]) -> Result<()> {
    let mut build = cargo(["build", "--workspace"]);
    build.args(options).args(names.iter().flat_map(|name| ["--bin", name]));
    run(&mut build)
}

/// Runs a program to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    show::heading(&line);
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// The folder that cargo builds in.
pub(crate) fn target() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let output = cargo(["metadata", "--format-version=1", "--no-deps"]).stderr(Stdio::inherit()).output()?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read `cargo metadata`")?;
    Ok(metadata.target_directory)
}

/// The command as one would type it, with the program's name alone.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
