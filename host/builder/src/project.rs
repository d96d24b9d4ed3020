//! The user's project: which of its files go into the component's build, and a private copy of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::BuildError;
use crate::cache::{KeyMaker, create_folder};
use crate::imports::Imports;
use crate::pyproject::PyProject;

const MOST_FILES: usize = 20_000;
const MOST_BYTES: u64 = 100 << 20;
const DEEPEST: usize = 40;

/// Folders that hold tools, builds or data and nothing an app imports.
const SKIPPED_FOLDERS: [&str; 4] = ["__pycache__", "node_modules", "venv", "env"];
const SKIPPED_EXTENSIONS: [&str; 2] = ["pyc", "wasm"];

/// A scanned project.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder of `-C`, which says what the project depends on.
    folder: PathBuf,
    /// The folder that modules are imported from: the project's, or its `src`.
    root: PathBuf,
    /// Relative to `root`, sorted.
    files: Vec<PathBuf>,
    pyproject: PyProject,
}

impl Project {
    /// Lists the project's files. `module` decides between the folder and its `src`.
    pub(crate) fn scan(folder: &Path, module: &str) -> Result<Self, BuildError> {
        let refuse =
            |reason: &str| BuildError::Project { path: folder.to_owned(), reason: reason.to_owned() };
        if !folder.is_dir() {
            return Err(refuse("not a folder\nhint: -C names the folder of the app"));
        }
        // pip runs elsewhere: what it is told to read must not depend on our own working folder.
        let folder = &fs::canonicalize(folder).map_err(BuildError::io("read", folder))?;
        let root = import_root(folder, module);
        let mut scan = Scan { root: &root, files: Vec::new(), bytes: 0 };
        scan.folder(&root, DEEPEST)?;
        let mut files = scan.files;
        files.sort();
        Ok(Self { folder: folder.to_owned(), root, files, pyproject: PyProject::read(folder)? })
    }

    /// The folder of `-C`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that its files and modules are in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Its files, from the root on, sorted.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What its `pyproject.toml` says.
    pub(crate) fn pyproject(&self) -> &PyProject {
        &self.pyproject
    }

    /// What its author should know before it is built.
    pub(crate) fn notice(&self) -> Option<&'static str> {
        self.files.iter().any(|file| file == Path::new(".env")).then_some(
            ".env is there while the app is built: what modules make of it when they are imported is kept in the \
             component, secrets too. There is no such file when it serves: `--env-file .env` gives the app its variables",
        )
    }

    /// What the sources import, by their text alone. Of modules, those of others.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::default();
        for file in
            self.files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "py"))
        {
            let text = fs::read(self.root.join(file)).unwrap_or_default();
            imports.note(&String::from_utf8_lossy(&text));
        }
        let own = |top: &str| self.root.join(top).is_dir() || self.root.join(format!("{top}.py")).is_file();
        imports.modules.retain(|module| !own(module.split('.').next().unwrap_or(module)));
        imports
    }

    /// Feeds names, contents and settings into a key. What the project depends on is the requirements' to add.
    pub(crate) fn add_to(&self, key: &mut KeyMaker) -> Result<(), BuildError> {
        self.pyproject.add_to(key);
        for file in &self.files {
            let path = self.root.join(file);
            key.add(file.as_os_str().as_encoded_bytes());
            key.add(fs::read(&path).map_err(BuildError::io("read", &path))?);
        }
        Ok(())
    }

    /// Copies the files to `target`.
    pub(crate) fn copy_to(&self, target: &Path) -> Result<(), BuildError> {
        create_folder(target)?;
        for file in &self.files {
            let copy = target.join(file);
            if let Some(parent) = copy.parent() {
                create_folder(parent)?;
            }
            let path = self.root.join(file);
            fs::copy(&path, &copy).map_err(BuildError::io("copy", &path))?;
        }
        Ok(())
    }
}

/// Whether a build of the project in `folder` would look at `path`, a file or folder in it that may be gone by now.
#[must_use]
pub fn is_source(folder: &Path, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(folder) else { return false };
    let mut ancestors: Vec<_> = inside.ancestors().filter(|part| !part.as_os_str().is_empty()).collect();
    let Some(last) = (!ancestors.is_empty()).then(|| ancestors.remove(0)) else { return true };
    let skipped = |part: &Path, is_folder| is_skipped(&folder.join(part), is_folder);
    !ancestors.into_iter().any(|part| skipped(part, true)) && !skipped(last, folder.join(last).is_dir())
}

/// `src` when the module is there and not beside it.
fn import_root(folder: &Path, module: &str) -> PathBuf {
    let top = module.split('.').next().unwrap_or(module);
    let has = |root: &Path| root.join(format!("{top}.py")).is_file() || root.join(top).is_dir();
    let src = folder.join("src");
    if !has(folder) && has(&src) { src } else { folder.to_owned() }
}

struct Scan<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    bytes: u64,
}

impl Scan<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), BuildError> {
        if depth == 0 {
            let reason = format!("more than {DEEPEST} folders deep");
            return Err(BuildError::Project { path: folder.to_owned(), reason });
        }
        for entry in fs::read_dir(folder).map_err(BuildError::io("read", folder))? {
            let entry = entry.map_err(BuildError::io("read", folder))?;
            let kind = entry.file_type().map_err(BuildError::io("read", folder))?;
            let path = entry.path();
            if is_skipped(&path, kind.is_dir()) {
                continue;
            }
            // A link to a file is the file; a link to a folder may lead in a circle.
            if kind.is_dir() {
                self.folder(&path, depth - 1)?;
            } else if path.is_file() {
                self.file(&path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), BuildError> {
        self.bytes += fs::metadata(path).map_err(BuildError::io("read", path))?.len();
        self.files.push(path.strip_prefix(self.root).unwrap_or(path).to_owned());
        let over = match (self.bytes > MOST_BYTES, self.files.len() > MOST_FILES) {
            (true, _) => format!("more than {} MB", MOST_BYTES >> 20),
            (_, true) => format!("more than {MOST_FILES} files"),
            _ => return Ok(()),
        };
        let reason = format!(
            "{over} to build from (reached at {})\nhint: -C names the folder of the app; data does not belong in it",
            path.display()
        );
        Err(BuildError::Project { path: self.root.to_owned(), reason })
    }
}

fn is_skipped(path: &Path, is_folder: bool) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_folder {
        let environment = path.join("pyvenv.cfg").exists();
        return name.starts_with('.') || environment || SKIPPED_FOLDERS.contains(&name.as_ref());
    }
    path.extension().is_some_and(|extension| SKIPPED_EXTENSIONS.iter().any(|skipped| extension == *skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    fn names(project: &Project) -> Vec<String> {
        project.files.iter().map(|file| file.display().to_string()).collect()
    }

    #[test]
    fn what_an_app_cannot_import_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &["main.py", "app/data.json", "app/__init__.py", "app/__pycache__/x.pyc", ".git/config"],
        );
        write(
            folder.path(),
            &["my/pyvenv.cfg", "my/lib/big.py", ".venv/x.py", "node_modules/a/b.js", "app.wasm"],
        );
        let project = Project::scan(folder.path(), "main").unwrap();
        assert_eq!(names(&project), ["app/__init__.py", "app/data.json", "main.py"]);
        let copy = tempfile::tempdir().unwrap();
        project.copy_to(copy.path()).unwrap();
        assert_eq!(fs::read_to_string(copy.path().join("app/data.json")).unwrap(), "app/data.json");
    }

    #[test]
    fn a_change_of_what_is_left_out_is_none_of_a_source() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["main.py", "app/x.py", "my/pyvenv.cfg", ".venv/x.py"]);
        let is = |path: &str| is_source(folder.path(), &folder.path().join(path));
        assert!(is("main.py") && is("app") && is("app/gone.py") && is("requirements.txt") && is(""));
        assert!(!is("app/__pycache__/x.pyc") && !is(".venv/x.py") && !is("my/lib/x.py") && !is(".git/index"));
        assert!(!is("app.wasm") && !is_source(folder.path(), Path::new("/elsewhere/main.py")));
    }

    #[test]
    fn a_src_layout_is_imported_from_src() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["src/shop/main.py", "README.md"]);
        assert_eq!(names(&Project::scan(folder.path(), "shop.main").unwrap()), ["shop/main.py"]);
        assert_eq!(
            names(&Project::scan(folder.path(), "src.shop.main").unwrap()),
            ["README.md", "src/shop/main.py"]
        );
    }

    #[test]
    fn a_change_changes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["main.py"]);
        let key = || {
            let mut key = KeyMaker::default();
            Project::scan(folder.path(), "main").unwrap().add_to(&mut key).unwrap();
            key.finish()
        };
        let before = key();
        assert_eq!(before, key());
        fs::write(folder.path().join("main.py"), "changed").unwrap();
        assert_ne!(before, key());
    }

    #[test]
    fn a_folder_link_in_a_circle_ends() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["main.py"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert_eq!(names(&Project::scan(folder.path(), "main").unwrap()), ["main.py"]);
    }

    #[test]
    fn too_many_bytes_are_refused_with_the_file_that_reached_it() {
        let folder = tempfile::tempdir().unwrap();
        let big = fs::File::create(folder.path().join("big.bin")).unwrap();
        big.set_len(MOST_BYTES + 1).unwrap();
        let error = Project::scan(folder.path(), "main").unwrap_err().to_string();
        assert!(error.contains("more than 100 MB") && error.contains("big.bin"), "{error}");
    }
}
