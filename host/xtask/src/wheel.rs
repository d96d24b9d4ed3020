//! `cargo xtask wheel`: the SDK and the host's program as wheels, installed and tried in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::{shell, show};

const TOOLS: [&str; 3] = ["maturin==1.16.0", "hatchling==1.33.0", "build==1.6.1"];

/// Makes both wheels, tries them, and prints their folder. The host's program is built as `cargo build --release` does.
pub(crate) fn run() -> Result<()> {
    let target = shell::target()?;
    let wheels = target.join("wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
    }
    let tools = environment(&target.join("wheel-tools"))?;
    install(&tools, TOOLS.map(PathBuf::from))?;
    let mut host = Command::new(tools.with_file_name("maturin"));
    host.args(["build", "--release", "--manifest-path", "host/cli/Cargo.toml", "--out"]).arg(&wheels);
    shell::run(host.current_dir(shell::root()).env("CARGO_TARGET_DIR", &target).stdin(Stdio::null()))?;
    let mut sdk = Command::new(&tools);
    sdk.args(["-m", "build", "--wheel", "--no-isolation", "--outdir"]).arg(&wheels).arg("guest-sdk/python");
    shell::run(sdk.current_dir(shell::root()).stdin(Stdio::null()))?;
    try_out(&target.join("wheel-trial"), &wheels)?;
    show::line(&wheels.display().to_string());
    Ok(())
}

/// What a user does: `pip install`, then the program and the package.
fn try_out(folder: &Path, wheels: &Path) -> Result<()> {
    let python = environment(folder)?;
    let made = std::fs::read_dir(wheels)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    install(&python, made)?;
    shell::run(Command::new(python.with_file_name("fasterapi-host")).arg("--version"))?;
    // From a folder without the sources, which would be imported instead.
    shell::run(Command::new(&python).args(["-c", CHECK]).current_dir(folder))
}

const CHECK: &str = "
from importlib.metadata import entry_points
from importlib.resources import files
import fasterapi, fasterapi.pg
assert files('fasterapi').joinpath('py.typed').is_file()
for group, name in (('pytest11', 'fasterapi'), ('sqlalchemy.dialects', 'postgresql.fasterapi')):
    assert entry_points(group=group, name=name), group
assert fasterapi.App().title
";

/// The Python of a new environment.
fn environment(folder: &Path) -> Result<PathBuf> {
    let base = std::env::var_os("FASTERAPI_PYTHON").unwrap_or_else(|| "python3".into());
    shell::run(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder).stdin(Stdio::null()))?;
    Ok(folder.join("bin/python"))
}

fn install(python: &Path, what: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(what);
    shell::run(pip.stdin(Stdio::null()))
}
