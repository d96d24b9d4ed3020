//! A folder of the host's cache that keeps what was used last.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::error::LoadError;

/// Makes the folder when it is missing, for its user alone.
pub(crate) fn open(folder: &Path) -> Result<PathBuf, LoadError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| LoadError::Cache { path: folder.to_owned(), source })?;
    Ok(folder.to_owned())
}

/// The files with the extension `kind` that are not among the `kept` changed last: who uses one notes it so.
pub(crate) fn beyond(folder: &Path, kind: &str, kept: usize) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.filter_map(Result::ok);
    let entries = entries.filter(|entry| entry.path().extension().is_some_and(|found| found == kind));
    let used = |entry: &fs::DirEntry| entry.metadata().and_then(|file| file.modified()).ok();
    let mut entries: Vec<_> = entries.map(|entry| (used(&entry), entry.path())).collect();
    entries.sort();
    Ok(entries.into_iter().rev().skip(kept).map(|(_, path)| path).collect())
}
