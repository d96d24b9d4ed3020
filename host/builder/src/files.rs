//! The files that an app reads while it runs, as the archive that goes into its component (`fasterapi_core::files`).
//!
//! Of the project: what is no Python source and has no name that begins with a dot (`.env` and its like hold secrets).
//! Of the packages: their data, and what `importlib.metadata` reads. Equal files make equal archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::BuildError;
use crate::project::Project;

/// The folders' numbers, as `BUILD_PROTOCOL.md` mounts them.
const APP: &str = "1";
const PACKAGES: &str = "2";

/// Python, what it is compiled to, and what compilers and type checkers read.
const SOURCES: [&str; 9] = ["py", "pyc", "pyi", "so", "c", "h", "pyx", "pxd", "typed"];
/// What describes an installed package to the package itself; the rest is for installers.
const DESCRIBES: [&str; 4] = ["METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt"];
/// Kept in the component's memory already (`_build/zones.py`).
const TIME_ZONES: &str = "tzdata";

/// The archive; none where there is nothing to read.
pub(crate) fn archive(project: &Project, site: &Path) -> Result<Option<Vec<u8>>, BuildError> {
    let own =
        project.files().iter().filter(|file| is_data(file)).map(|file| (APP, project.root(), file.clone()));
    let packages = package_files(site)?.into_iter().map(|file| (PACKAGES, site, file));
    let files: Vec<_> = own.chain(packages).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let mut builder = tar::Builder::new(Vec::new());
    for (top, root, file) in files {
        let path = root.join(&file);
        append(&mut builder, &path, &Path::new(top).join(file)).map_err(BuildError::io("read", &path))?;
    }
    let archive = builder.into_inner().map_err(BuildError::io("write", Path::new("the archive of files")))?;
    Ok(Some(archive))
}

fn append(builder: &mut tar::Builder<Vec<u8>>, path: &Path, name: &Path) -> std::io::Result<()> {
    let bytes = fs::read(path)?;
    let modified = fs::metadata(path)?.modified()?.duration_since(SystemTime::UNIX_EPOCH);
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(modified.map_or(0, |age| age.as_secs()));
    builder.append_data(&mut header, name, bytes.as_slice())
}

fn is_data(file: &Path) -> bool {
    let hidden = |part: &std::ffi::OsStr| part.as_encoded_bytes().starts_with(b".");
    let source = file.extension().is_some_and(|kind| SOURCES.iter().any(|source| kind == *source));
    !source && !file.iter().any(hidden)
}

/// Relative to the site folder, sorted.
fn package_files(site: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut files = Vec::new();
    let mut folders = vec![site.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(BuildError::io("read", &folder))? {
            let path = entry.map_err(BuildError::io("read", &folder))?.path();
            let file = path.strip_prefix(site).unwrap_or(&path);
            match path.is_dir() {
                true if file != Path::new(TIME_ZONES) && !hidden_or_tests(file) => folders.push(path),
                false if is_data(file) && describes(file) => files.push(file.to_owned()),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

fn hidden_or_tests(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".") || name == "tests" || name == "__pycache__"
}

/// Whether it is data, or tells of an installed package what a program may ask.
fn describes(file: &Path) -> bool {
    let mut folders = file.iter();
    let top = Path::new(folders.next().unwrap_or_default());
    let described = top.extension().is_some_and(|kind| kind == "dist-info");
    !described || folders.next().is_some_and(|name| DESCRIBES.iter().any(|wanted| name == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let members = archive.entries().unwrap();
        members.map(|member| member.unwrap().path().unwrap().display().to_string()).collect()
    }

    fn write(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    #[test]
    fn what_an_app_may_read_goes_along() {
        let (folder, site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(
            folder.path(),
            &["main.py", "templates/page.html", ".env", "app/.secret/x", "static/app.js", "data"],
        );
        write(
            site.path(),
            &["x/__init__.py", "x/data.json", "x/py.typed", "x/y.so", "x/tests/big.txt", ".pyc/2/x"],
        );
        write(site.path(), &["x-1.dist-info/METADATA", "x-1.dist-info/RECORD", "x-1.dist-info/licenses/MIT"]);
        write(site.path(), &["tzdata/zoneinfo/Europe/Berlin"]);
        let project = Project::scan(folder.path(), "main").unwrap();
        let packed = archive(&project, site.path()).unwrap().unwrap();
        let expected = [
            "1/data",
            "1/static/app.js",
            "1/templates/page.html",
            "2/x/data.json",
            "2/x-1.dist-info/METADATA",
        ];
        assert_eq!(names(&packed), expected);
        assert_eq!(archive(&project, site.path()).unwrap(), Some(packed), "equal files, equal archives");
    }

    #[test]
    fn a_long_name_goes_along_and_nothing_makes_no_archive() {
        let (folder, site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(folder.path(), &["main.py"]);
        let scan = || Project::scan(folder.path(), "main").unwrap();
        assert_eq!(archive(&scan(), site.path()).unwrap(), None);
        let long = format!("{0}/{0}/{0}.txt", "x".repeat(90));
        write(folder.path(), &[&long]);
        assert_eq!(names(&archive(&scan(), site.path()).unwrap().unwrap()), [format!("1/{long}")]);
    }
}
