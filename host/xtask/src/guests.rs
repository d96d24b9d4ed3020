//! The guests: every Python app under examples/ and tests/guests/.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fasterapi_builder::{BuildRequest, Builder, Target};
use serde::Deserialize;

use crate::{setup, shell, show};

const FOLDERS: [&str; 2] = ["examples", "tests/guests"];

/// An app that is built for tests.
struct Guest {
    name: String,
    folder: PathBuf,
    target: Target,
}

/// `pyproject.toml`, as far as it names the app.
#[derive(Deserialize, Default)]
struct PyProject {
    #[serde(default)]
    tool: Tool,
}

#[derive(Deserialize, Default)]
struct Tool {
    #[serde(default)]
    fasterapi: Settings,
}

#[derive(Deserialize, Default)]
struct Settings {
    app: Option<String>,
}

/// Builds all and lists them.
pub(crate) fn run() -> Result<()> {
    build_all(&setup::builder()?)
}

/// Builds all: the builder's cache then has them for the tests.
pub(crate) fn build_all(builder: &Builder) -> Result<()> {
    let folder = shell::target()?.join("guests");
    for guest in list()? {
        let output = folder.join(format!("{}.wasm", guest.name));
        let request = BuildRequest { target: guest.target, dir: guest.folder, output };
        let built =
            builder.build(&request, &show::progress).with_context(|| format!("guest {}", guest.name))?;
        show::line(&format!("{}: {} bytes", built.path.display(), built.bytes));
    }
    Ok(())
}

fn list() -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for top in FOLDERS {
        let top = shell::root().join(top);
        for entry in fs::read_dir(&top).with_context(|| format!("cannot read {}", top.display()))? {
            guests.extend(guest(&entry?.path())?);
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

/// A folder is a guest's when its pyproject.toml names the app (`[tool.fasterapi] app`) or it has a main.py.
fn guest(folder: &Path) -> Result<Option<Guest>> {
    let text = fs::read_to_string(folder.join("pyproject.toml")).unwrap_or_default();
    let project: PyProject =
        toml::from_str(&text).with_context(|| format!("{}/pyproject.toml", folder.display()))?;
    let app = project.tool.fasterapi.app;
    let app = app.or_else(|| folder.join("main.py").is_file().then(|| "main:app".to_owned()));
    let Some(app) = app else { return Ok(None) };
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Guest { name, folder: folder.to_owned(), target: app.parse()? }))
}
