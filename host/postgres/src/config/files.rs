//! Files that the operator names: found in his home, read whole, with a bound.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{ConfigError, settings::Environment};

/// More is no file of passwords or certificates.
const MAX_BYTES: u64 = 4 << 20;

/// `name` in the home folder.
pub(super) fn in_home(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(name))
}

/// A file's text.
pub(super) fn read_text(use_: &'static str, path: &Path) -> Result<String, ConfigError> {
    let bytes = read(use_, path)?;
    String::from_utf8(bytes).map_err(|_| ConfigError::file(use_, path, "it is not UTF-8"))
}

/// A regular file's bytes.
pub(crate) fn read(use_: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error: io::Error| ConfigError::file(use_, path, reason(&error));
    let file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(ConfigError::file(use_, path, "it is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(ConfigError::file(use_, path, format!("it is over {MAX_BYTES} bytes"))),
        false => Ok(bytes),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "this process may not read it".into(),
        _ => error.to_string(),
    }
}

/// Whether others than its owner may use the file; libpq ignores a `.pgpass` like that.
pub(super) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// libpq's rule for private keys: this user's own and nobody else's, or root's and its group may read it.
pub(crate) fn is_private_key_safe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| {
        let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        metadata.permissions().mode() & forbidden == 0
    })
}

/// What changes about a file when it is replaced or rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(u64, i64, i64, u64)>);

impl Stamp {
    /// As the file is now. A link is followed: a mounted secret is replaced by turning one.
    pub(crate) fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self(metadata.map(|m| (m.ino(), m.mtime(), m.mtime_nsec(), m.len())))
    }
}
