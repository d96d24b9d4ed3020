//! As whom the server runs. Postgres and initdb refuse the effective user 0, so a host that runs as root steps down:
//! to `postgres` or `nobody` where that user can reach the files, else into a user namespace where root is called
//! 65534.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::Path,
};

use super::{EmbeddedError, process};

/// The account that the server's processes run under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// The host's own.
    Own,
    /// Another user's.
    User { uid: u32, gid: u32 },
    /// The host's own, under another number in a namespace of its own.
    Namespace,
}

impl Account {
    /// The account that the server can run under, given where its programs are and where its files are to be.
    pub(super) fn choose(programs: &Path, root: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return Some(Self::Own);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |name: &str| {
            let (uid, gid) = ids(&accounts, |fields| fields.first() == Some(&name))?;
            (reaches(programs, uid, gid) && reaches(root, uid, gid)).then_some(Self::User { uid, gid })
        };
        match owner_of_data(root) {
            // What is there belongs to the account that it was made under.
            Some(0) => Some(Self::Namespace),
            Some(owner) => {
                let owner = owner.to_string();
                let (uid, gid) = ids(&accounts, |fields| fields.get(2) == Some(&owner.as_str()))?;
                Some(Self::User { uid, gid })
            }
            None => user("postgres").or_else(|| user("nobody")).or(Some(Self::Namespace)),
        }
        .filter(|account| *account != Self::Namespace || process::can_unshare(programs))
    }

    /// The owner of what the server writes; none: whoever makes it.
    fn owner(self) -> Option<(u32, u32)> {
        match self {
            Self::User { uid, gid } => Some((uid, gid)),
            Self::Own | Self::Namespace => None,
        }
    }

    /// Makes `folder` with mode 0700 for this account, or makes sure that it is such a folder.
    pub(super) fn own_folder(self, folder: &Path) -> Result<(), EmbeddedError> {
        let failed = |source: io::Error| EmbeddedError::File { path: folder.to_owned(), source };
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let found = fs::symlink_metadata(folder).map_err(failed)?;
        let me = rustix::process::geteuid().as_raw();
        let owner = self.owner();
        let mine = found.uid() == me || owner.is_some_and(|(uid, _)| found.uid() == uid);
        if !found.is_dir() || !mine {
            return Err(EmbeddedError::Unsafe { path: folder.to_owned() });
        }
        if let Some((uid, gid)) = owner {
            chown(folder, Some(uid), Some(gid)).map_err(failed)?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)
    }
}

fn owner_of_data(root: &Path) -> Option<u32> {
    let folders = fs::read_dir(root).ok()?.flatten();
    let mut data = folders.filter(|folder| folder.file_name().as_encoded_bytes().starts_with(b"data-"));
    data.next()?.metadata().ok().map(|metadata| metadata.uid())
}

/// User and group of the first line of `/etc/passwd` that fits.
fn ids(accounts: &str, fits: impl Fn(&[&str]) -> bool) -> Option<(u32, u32)> {
    let lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = lines.into_iter().find(|fields| fits(fields))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// Whether the user may pass every folder above `path`. What does not exist yet will be made reachable.
fn reaches(path: &Path, uid: u32, gid: u32) -> bool {
    path.ancestors().skip(1).filter_map(|folder| fs::metadata(folder).ok()).all(|folder| {
        let bit = match (folder.uid() == uid, folder.gid() == gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        folder.mode() & bit != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_any_field() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/x:/bin/sh\n";
        assert_eq!(ids(accounts, |fields| fields[0] == "postgres"), Some((101, 104)));
        assert_eq!(ids(accounts, |fields| fields[2] == "7"), None);
    }

    #[test]
    fn a_closed_folder_is_not_passed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!reaches(&inner, 65534, 65534));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(reaches(&inner, 65534, 65534));
    }
}
