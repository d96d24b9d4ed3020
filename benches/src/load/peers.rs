//! The peers' Python environment: in our cache folder, with pinned versions.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::apps;

/// A virtual environment.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// The environment of `peers.txt`, made anew when that has changed.
    pub fn ensure() -> Result<Self> {
        let requirements = apps::crate_folder().join("peers.txt");
        let wanted = fs::read_to_string(&requirements)?;
        let peers = Self { folder: apps::cache_folder()?.join("peers") };
        let installed = peers.folder.join("installed.txt");
        if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
            return Ok(peers);
        }
        println!("==> make the peers' Python environment");
        let base = std::env::var_os("FASTERAPI_PYTHON").unwrap_or_else(|| "python3".into());
        run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&peers.folder))?;
        let mut install = Command::new(peers.program("python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(install.arg(&requirements))?;
        fs::write(&installed, wanted)?;
        Ok(peers)
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The versions of its Python and of `packages`, in a line.
    pub fn versions(&self, packages: &[&str]) -> Result<String> {
        let code = "import sys, importlib.metadata as m; print('CPython', sys.version.split()[0], *(f'· {p} {m.version(p)}' \
                    for p in sys.argv[1:]))";
        let output = Command::new(self.program("python")).args(["-c", code]).args(packages).output()?;
        ensure!(output.status.success(), "cannot tell the peers' versions");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
