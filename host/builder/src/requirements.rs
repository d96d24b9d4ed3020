//! What a project says it depends on: `pyproject.toml`, else `requirements.txt`, else what its sources import.

use std::fs;
use std::path::{Path, PathBuf};

use crate::BuildError;
use crate::cache::KeyMaker;
use crate::imports::Imports;
use crate::pyproject::PyProject;

const DEEPEST_INCLUDE: usize = 8;

/// A project's requirements, as pip takes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirements {
    /// Requirement specifiers.
    pub(crate) lines: Vec<String>,
    /// A requirements file, read by pip itself.
    pub(crate) file: Option<PathBuf>,
    /// Whether the sources name `hashlib`'s functions that derive keys.
    pub(crate) derives_keys: bool,
    /// The contents of the file and of all it includes.
    texts: Vec<String>,
}

impl Requirements {
    /// Reads the project's own words, and adds what the SDK itself needs for what the sources import.
    pub(crate) fn of(folder: &Path, pyproject: &PyProject, imports: &Imports) -> Result<Self, BuildError> {
        let mut found = match Self::declared(folder, pyproject)? {
            Some(declared) => declared,
            None => Self::imported(imports),
        };
        if imports.fasterapi {
            found.lines.push("fastapi".to_owned());
        }
        found.derives_keys = imports.derives_keys;
        Ok(found)
    }

    fn declared(folder: &Path, pyproject: &PyProject) -> Result<Option<Self>, BuildError> {
        if let Some(lines) = pyproject.dependencies.clone() {
            return Ok(Some(Self { lines, ..Self::default() }));
        }
        let path = folder.join("requirements.txt");
        if !path.is_file() {
            return Ok(None);
        }
        let mut texts = Vec::new();
        read_with_includes(&path, DEEPEST_INCLUDE, &mut texts)?;
        Ok(Some(Self { file: Some(path), texts, ..Self::default() }))
    }

    fn imported(imports: &Imports) -> Self {
        let names = [
            (imports.fastapi, "fastapi"),
            (imports.fastapi, "python-multipart"),
            (imports.starlette, "starlette"),
            (imports.pydantic, "pydantic"),
        ];
        let lines = names.into_iter().filter(|(used, _)| *used).map(|(_, name)| name.to_owned()).collect();
        Self { lines, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.file.is_none()
    }

    pub(crate) fn add_to(&self, key: &mut KeyMaker) {
        self.lines.iter().chain(&self.texts).for_each(|text| key.add(text));
        if self.derives_keys {
            key.add("derives keys");
        }
    }
}

/// The text of a requirements file and of those it names by `-r` and `-c`: what pip will read.
fn read_with_includes(path: &Path, depth: usize, texts: &mut Vec<String>) -> Result<(), BuildError> {
    if depth == 0 {
        let reason = format!("included more than {DEEPEST_INCLUDE} files deep");
        return Err(BuildError::Project { path: path.to_owned(), reason });
    }
    let text = fs::read_to_string(path).map_err(BuildError::io("read", path))?;
    let folder = path.parent().unwrap_or(path);
    for included in text.lines().filter_map(included) {
        read_with_includes(&folder.join(included), depth - 1, texts)?;
    }
    texts.push(text);
    Ok(())
}

/// The file that a line of a requirements file includes.
fn included(line: &str) -> Option<&str> {
    let line = line.split(" #").next().unwrap_or(line).trim();
    ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        let name = rest.trim_start_matches([' ', '\t', '=']);
        let separated = name.len() < rest.len() || option.len() == 2;
        // An address is pip's to fetch, and its content cannot be part of a key.
        (separated && !name.is_empty() && !name.contains("://")).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn of(folder: &tempfile::TempDir, imports: &Imports) -> Result<Requirements, BuildError> {
        Requirements::of(folder.path(), &PyProject::read(folder.path()).unwrap(), imports)
    }

    fn key(requirements: &Requirements) -> String {
        let mut key = KeyMaker::default();
        requirements.add_to(&mut key);
        key.finish().as_str().to_owned()
    }

    #[test]
    fn pyproject_comes_before_requirements_txt() {
        let text = "[project]\nname = 'x'\nversion = '1'\ndependencies = ['fastapi>=0.100', 'httpx; extra == \"a\"']\n";
        let folder = project(&[("pyproject.toml", text), ("requirements.txt", "numpy")]);
        let found = of(&folder, &Imports::default()).unwrap();
        assert_eq!(found.lines, ["fastapi>=0.100", "httpx; extra == \"a\""]);
        assert_eq!(found.file, None);
    }

    #[test]
    fn a_pyproject_without_dependencies_of_its_own_leaves_it_to_requirements_txt() {
        for text in ["[tool.ruff]\n", "[project]\nname = 'x'\ndynamic = ['version', 'dependencies']\n"] {
            let folder = project(&[("pyproject.toml", text), ("requirements.txt", "httpx")]);
            let found = of(&folder, &Imports::default()).unwrap();
            assert_eq!(found.file, Some(folder.path().join("requirements.txt")), "{text}");
        }
        let folder = project(&[("pyproject.toml", "[project]\nname = 'x'\n"), ("requirements.txt", "httpx")]);
        assert!(of(&folder, &Imports::default()).unwrap().is_empty(), "it says: none");
    }

    #[test]
    fn an_included_file_counts() {
        let main = "-r base.txt  # comment\n--constraint=pins.txt\nhttpx==1 # x\n";
        let folder = project(&[("requirements.txt", main), ("base.txt", "a"), ("pins.txt", "b")]);
        let before = key(&of(&folder, &Imports::default()).unwrap());
        fs::write(folder.path().join("pins.txt"), "c").unwrap();
        assert_ne!(before, key(&of(&folder, &Imports::default()).unwrap()));
    }

    #[test]
    fn a_missing_or_endless_include_is_an_error_that_names_it() {
        let folder = project(&[("requirements.txt", "-r gone.txt")]);
        let error = of(&folder, &Imports::default()).unwrap_err().to_string();
        assert!(error.contains("gone.txt"), "{error}");
        let folder = project(&[("requirements.txt", "-r requirements.txt")]);
        let error = of(&folder, &Imports::default()).unwrap_err().to_string();
        assert!(error.contains("more than 8 files deep"), "{error}");
    }

    #[test]
    fn only_options_include() {
        assert_eq!(included("-rbase.txt"), Some("base.txt"));
        assert_eq!(included("--requirement base.txt"), Some("base.txt"));
        for line in
            ["requests", "--require-hashes", "# -r x", "-e .", "--constraints-like x", "-r https://x/y"]
        {
            assert_eq!(included(line), None, "{line}");
        }
    }

    #[test]
    fn sources_speak_where_nothing_is_declared() {
        let folder = project(&[]);
        let imports = Imports { starlette: true, ..Imports::default() };
        assert_eq!(of(&folder, &imports).unwrap().lines, ["starlette"]);
        let imports = Imports { fasterapi: true, ..Imports::default() };
        assert_eq!(of(&folder, &imports).unwrap().lines, ["fastapi"]);
        assert!(of(&folder, &Imports::default()).unwrap().is_empty());
    }
}
