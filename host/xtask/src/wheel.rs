//! `cargo xtask wheel`: the SDK and the host's program as wheels, installed and tried in an environment of their own.
//!
//! maturin has cargo build the host's package alone. The workspace's dependencies are written so that it has the same features
//! then as among the others ([`one_set_of_features`]): of what was compiled before, it only links the program anew.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{shell, show};

const TOOLS: [&str; 3] = ["maturin==1.16.0", "hatchling==1.33.0", "build==1.6.1"];
const MYPY: &str = "mypy==2.4.1";
const EXAMPLE: &str = "examples/hello";

/// Makes both wheels, tries them, and prints their folder. The host's program is built as `cargo build --release` does.
pub(crate) fn run() -> Result<()> {
    one_set_of_features()?;
    let target = shell::target()?;
    let wheels = target.join("wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
    }
    let tools = environment(&target.join("wheel-tools"))?;
    install(&tools, TOOLS)?;
    let mut host = Command::new(tools.with_file_name("maturin"));
    host.args(["build", "--release", "--manifest-path", "host/cli/Cargo.toml", "--out"]).arg(&wheels);
    shell::outside_of_package(&mut host);
    shell::run(host.current_dir(shell::root()).env("CARGO_TARGET_DIR", &target).stdin(Stdio::null()))?;
    let mut sdk = Command::new(&tools);
    sdk.args(["-m", "build", "--wheel", "--no-isolation", "--outdir"]).arg(&wheels).arg("guest-sdk/python");
    shell::run(sdk.current_dir(shell::root()).stdin(Stdio::null()))?;
    try_out(&target.join("wheel-trial"), &wheels)?;
    show::line(&wheels.display().to_string());
    Ok(())
}

/// That the host's package alone asks for the same features of its dependencies as among the others.
fn one_set_of_features() -> Result<()> {
    let (alone, among_others) = (features(&["--package", "fasterapi-host"])?, features(&["--workspace"])?);
    let differing: Vec<_> = alone.difference(&among_others).map(String::as_str).collect();
    ensure!(
        differing.is_empty(),
        "fasterapi-host alone has other features than in the workspace: {}\n\
         hint: say the same in [workspace.dependencies], or every wheel compiles wasmtime once more",
        differing.join(", ")
    );
    Ok(())
}

/// What is built of a package or all, each with its features.
fn features(packages: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = shell::cargo(["tree", "--edges", "no-dev", "--prefix", "none", "--format", "{p} [{f}]"]);
    let output = tree.args(packages).stderr(Stdio::inherit()).output().context("cannot run `cargo tree`")?;
    ensure!(output.status.success(), "`cargo tree` failed: {}", output.status);
    let lines = String::from_utf8_lossy(&output.stdout);
    Ok(lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}

/// What a user does: `pip install`, then the program and the package, and a test of an app that is built and served.
fn try_out(folder: &Path, wheels: &Path) -> Result<()> {
    let python = environment(folder)?;
    let mut packages = vec![OsString::from(MYPY)];
    for entry in std::fs::read_dir(wheels)? {
        let path = entry?.path();
        let is_sdk = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fasterapi-"));
        let mut package = path.into_os_string();
        package.push(if is_sdk { "[test]" } else { "" });
        packages.push(package);
    }
    install(&python, packages)?;
    shell::run(Command::new(folder.join("bin/fasterapi-host")).arg("--version"))?;
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(folder.join("bin")).chain(std::env::split_paths(&others)))?;
    // In folders without the sources, which would be imported instead.
    let trial = |arguments: &[&str], folder: &Path| {
        let mut command = Command::new(&python);
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        command.env("PATH", &path).env("PYTHONDONTWRITEBYTECODE", "1").env_remove("FASTERAPI_HOST_BIN");
        shell::run(&mut command)
    };
    trial(&["-c", CHECK], folder)?;
    trial(&["-m", "mypy", "--strict", "-c", "import fasterapi.pg, fasterapi.testclient"], folder)?;
    trial(&["-c", TRIAL], &shell::root().join(EXAMPLE))
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

/// The client runs `fasterapi-host build` and `fasterapi-host serve`.
const TRIAL: &str = "
from fasterapi.testclient import TestClient
with TestClient('main:app', fasterapi_backend='component') as client:
    assert client.get('/').json() == {'message': 'Hello, FasterAPI!'}
";

/// The Python of a new environment.
fn environment(folder: &Path) -> Result<PathBuf> {
    let base = std::env::var_os("FASTERAPI_PYTHON").unwrap_or_else(|| "python3".into());
    shell::run(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder).stdin(Stdio::null()))?;
    Ok(folder.join("bin/python"))
}

fn install(python: &Path, what: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(what);
    shell::run(pip.stdin(Stdio::null()))
}
