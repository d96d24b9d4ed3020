//! The Python SDK's own tests, in an environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::{shell, show};

const SDK: &str = "guest-sdk/python";
const REQUIREMENTS: &str = "requirements-dev.txt";
const BRIDGE: &str = "fasterapi-bridge";
const HOST: &str = "fasterapi-host";

/// The commands to run, in the SDK's folder. The tests reach a real Postgres, made of the programs in the folder
/// `postgres` or those of this machine, through the bridge.
pub(crate) fn commands(postgres: Option<&Path>) -> Result<[Command; 2]> {
    let folder = shell::root().join(SDK);
    let python = environment(&folder)?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(["-m"]).args(arguments).current_dir(&folder).stdin(Stdio::null());
        command
    };
    let mut tests = command(&["pytest"]);
    tests.env("FASTERAPI_HOST_BIN", bridge()?).env_remove("DATABASE_URL");
    if let Some(folder) = postgres {
        tests.env("FASTERAPI_PG_BIN", folder);
    }
    Ok([command(&["mypy", "--strict", "fasterapi"]), tests])
}

/// The program that takes the place of `fasterapi-host pg bridge`. Beside it stands the host's own, which the tests of
/// `fasterapi.testclient` build and serve a component with.
fn bridge() -> Result<PathBuf> {
    Ok(shell::programs(&[BRIDGE, HOST])?.join(BRIDGE))
}

/// The Python of an environment with what requirements-dev.txt says; made anew when that changes.
fn environment(sdk: &Path) -> Result<PathBuf> {
    let requirements = sdk.join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let folder = shell::target()?.join("sdk-venv");
    let installed = folder.join("installed.txt");
    let python = folder.join("bin/python");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && python.exists() {
        return Ok(python);
    }
    show::heading("make a Python environment for the SDK's tests");
    let base = std::env::var_os("FASTERAPI_PYTHON").unwrap_or_else(|| "python3".into());
    shell::run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&folder).stdin(Stdio::null()))?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    shell::run(install.arg(&requirements).stdin(Stdio::null()))?;
    fs::write(&installed, wanted)?;
    Ok(python)
}
