//! The parts of a project's `pyproject.toml` that a build reads.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::BuildError;
use crate::cache::KeyMaker;

/// What the file says; the default is a project without one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PyProject {
    /// `[project] dependencies`; none where the file leaves that to others.
    pub(crate) dependencies: Option<Vec<String>>,
    /// `[tool.fasterapi] preload`: modules to import at build time although no module of the app does.
    pub(crate) preload: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    project: Option<ProjectTable>,
    #[serde(default)]
    tool: ToolTable,
}

#[derive(Deserialize)]
struct ProjectTable {
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    dynamic: Vec<String>,
}

#[derive(Deserialize, Default)]
struct ToolTable {
    #[serde(default)]
    fasterapi: Settings,
}

#[derive(Deserialize, Default)]
struct Settings {
    #[serde(default)]
    preload: Vec<String>,
}

impl PyProject {
    /// Reads `folder/pyproject.toml` if it is there.
    pub(crate) fn read(folder: &Path) -> Result<Self, BuildError> {
        let path = folder.join("pyproject.toml");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
        let document: Document = toml::from_str(&text).map_err(|error| BuildError::Project {
            path,
            reason: format!("not a valid pyproject.toml: {}", error.to_string().trim_end()),
        })?;
        let project =
            document.project.filter(|table| !table.dynamic.iter().any(|field| field == "dependencies"));
        Ok(Self {
            dependencies: project.map(|table| table.dependencies),
            preload: document.tool.fasterapi.preload,
        })
    }

    pub(crate) fn add_to(&self, key: &mut KeyMaker) {
        self.preload.iter().for_each(|module| key.add(module));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PyProject, BuildError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pyproject.toml"), text).unwrap();
        PyProject::read(folder.path())
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(read("[tool.ruff]\n").unwrap(), PyProject::default());
        assert_eq!(
            read("[project]\nname = 'x'\ndynamic = ['dependencies']\n").unwrap(),
            PyProject::default()
        );
        assert_eq!(read("[project]\nname = 'x'\n").unwrap().dependencies, Some(Vec::new()), "it says: none");
    }

    #[test]
    fn dependencies_and_preload() {
        let text =
            "[project]\ndependencies = ['httpx']\n[tool.fasterapi]\napp = 'main:app'\npreload = ['a.b']\n";
        let expected = PyProject { dependencies: Some(vec!["httpx".into()]), preload: vec!["a.b".into()] };
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn a_malformed_file_is_named() {
        for text in ["[project\n", "[project]\ndependencies = 'httpx'\n"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("pyproject.toml: not a valid"), "{error}");
        }
    }
}
