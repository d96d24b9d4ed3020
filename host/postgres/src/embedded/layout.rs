//! Where the files of one embedded server are.

use std::path::{Path, PathBuf};

/// The folders of one server. The same data folder always gives the same layout, so that processes find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Holds the data folders, the log and the lock.
    pub(super) root: PathBuf,
    pub(super) socket_dir: PathBuf,
}

/// The name of the socket for port 5432.
const SOCKET: &str = ".s.PGSQL.5432";
/// The address of a unix socket holds 108 bytes; some systems fewer.
const MAX_SOCKET_PATH: usize = 100;

impl Layout {
    pub(super) fn at(root: &Path) -> Self {
        let fits = root.join(SOCKET).as_os_str().len() < MAX_SOCKET_PATH;
        let short = || Path::new("/tmp").join(format!("fasterapi-pg-{:016x}", hash(root)));
        Self { root: root.to_owned(), socket_dir: if fits { root.to_owned() } else { short() } }
    }

    /// The caller's folder, and where it may have had to go for root.
    pub(super) fn candidates(data_dir: &Path) -> Vec<Self> {
        let name = format!("fasterapi-pg-{:016x}", hash(data_dir));
        let elsewhere = [Path::new("/var/lib"), Path::new("/tmp")].map(|parent| parent.join(&name));
        [data_dir.to_owned()].into_iter().chain(elsewhere).map(|root| Self::at(&root)).collect()
    }

    pub(super) fn data(&self, major: u32) -> PathBuf {
        self.root.join(format!("data-{major}"))
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_dir.join(SOCKET)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }
}

/// FNV-1a, 64 bits: stable between builds, unlike the standard library's.
fn hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_has_a_short_socket() {
        let short = Layout::at(Path::new("/home/a/pg"));
        assert_eq!(short.socket(), Path::new("/home/a/pg/.s.PGSQL.5432"));
        let long = Layout::at(&Path::new("/").join("x".repeat(90)));
        assert!(long.socket().as_os_str().len() < 60);
        assert_eq!(hash(Path::new("a")), 0xaf63_dc4c_8601_ec8c);
    }
}
