//! Finding the server's programs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::EmbeddedError;

/// A folder with `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

const DEBIAN: &str = "/usr/lib/postgresql";

/// Looks in `FASTERAPI_PG_BIN`, then PATH, then Debian's folders (highest version), then `extra`.
pub(super) fn find(extra: &[PathBuf]) -> Result<Binaries, EmbeddedError> {
    if let Some(path) = env::var_os("FASTERAPI_PG_BIN").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        // Named on purpose: another one would be a surprise.
        return Binaries::at(&path).ok_or(EmbeddedError::NotInFolder { path });
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .find_map(|dir| Binaries::at(&dir))
        .or_else(debian)
        .or_else(|| extra.iter().find_map(|dir| Binaries::at(dir)))
        .ok_or_else(|| EmbeddedError::NotFound { extra: extra.to_vec() })
}

fn debian() -> Option<Binaries> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten();
    versions.filter_map(|version| Binaries::at(&version.path().join("bin"))).max_by_key(|found| found.major)
}

impl Binaries {
    fn at(dir: &Path) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        // The programs find their files by their place: a link to one has none beside it.
        let postgres = fs::canonicalize(dir.join("postgres")).ok()?;
        let dir = postgres.parent()?.to_owned();
        let output = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&output.stdout))?;
        dir.join("initdb").is_file().then_some(Self { dir, major })
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }
}

/// From `postgres (PostgreSQL) 15.13 (Debian …)` or `… 18beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read() {
        assert_eq!(super::major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(super::major("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(super::major("mysql 8"), None);
    }
}
