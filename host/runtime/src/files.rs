//! The files that an app brings along, as its instances see them: read-only, and nothing else of this machine.
//!
//! The archive in a component (`fasterapi_core::files`) is hostile. It is unpacked once, member by checked member, into
//! a folder of the host's cache that its digest names. Whoever serves from such a folder holds a shared lock on the
//! file beside it; of those that nobody uses, the least recently used go when there are too many.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::{error::LoadError, shelf};

/// How many unpacked archives stay.
const KEPT: usize = 20;

const MOST_FILES: usize = 50_000;
const DEEPEST: usize = 40;
const LONGEST_NAME: usize = 255;

const LOCK: &str = "lock";

/// Folders of this machine that instances see, each under the path by which the guest knows it.
#[derive(Clone, Default)]
pub struct Files {
    folders: Vec<(String, PathBuf)>,
    /// Keeps the folders there.
    _keeper: Option<Arc<dyn Send + Sync>>,
}

impl Files {
    /// Each folder as `/{number}`. `keeper` lives as long as an instance may open them.
    pub fn of(
        folders: impl IntoIterator<Item = (u32, PathBuf)>,
        keeper: Arc<impl Send + Sync + 'static>,
    ) -> Self {
        let folders = folders.into_iter().map(|(number, folder)| (format!("/{number}"), folder));
        Self { folders: folders.collect(), _keeper: Some(keeper) }
    }

    /// Opens the folders for one instance. Nothing in them can be made, changed or removed through it.
    pub(crate) fn lend(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for (guest, folder) in &self.folders {
            wasi.preopened_dir(folder, guest, FsPerms::ReadOnly)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("folders", &self.folders).finish_non_exhaustive()
    }
}

/// A folder of unpacked archives.
#[derive(Clone, Debug)]
pub struct FileCache {
    folder: PathBuf,
}

impl FileCache {
    /// Uses `folder`, made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        Ok(Self { folder: shelf::open(folder)? })
    }

    /// The files of an archive, unpacked now when they are not here. Blocks for as long as they take to write.
    ///
    /// # Errors
    /// When it is no such archive, or the folder cannot be written.
    pub fn unpack(&self, archive: &[u8]) -> Result<Files, LoadError> {
        let folder = self.folder.join(hex::encode(Sha256::digest(archive)));
        let failed = |source| LoadError::Cache { path: folder.clone(), source };
        let lock = shared_lock(&folder.with_extension(LOCK)).map_err(failed)?;
        if !folder.is_dir() {
            let aside = tempfile::tempdir_in(&self.folder).map_err(failed)?;
            write_all(archive, aside.path())?;
            // Another process with the same lock may have been quicker.
            fs::rename(aside.path(), &folder)
                .or_else(|error| if folder.is_dir() { Ok(()) } else { Err(failed(error)) })?;
            self.prune();
        }
        let folders = mounted(&folder).map_err(failed)?;
        Ok(Files { folders, _keeper: Some(Arc::new(lock)) })
    }

    /// Removes all but those used last. Best effort.
    fn prune(&self) {
        for path in shelf::beyond(&self.folder, LOCK, KEPT).into_iter().flatten() {
            let Ok(lock) = File::open(&path) else { continue };
            match lock.try_lock() {
                Ok(()) => {
                    let _ = fs::remove_dir_all(path.with_extension(""));
                    let _ = fs::remove_file(path);
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
            }
        }
    }
}

/// Waits for the lock on `path`, made when it is missing, and notes that it was used.
fn shared_lock(path: &Path) -> io::Result<File> {
    loop {
        let file = File::options().create(true).append(true).open(path)?;
        file.lock_shared()?;
        // Who prunes removes the file under its own lock: then there is another one by now.
        if fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|then| now.ino() == then.ino())) {
            file.set_modified(SystemTime::now())?;
            return Ok(file);
        }
    }
}

/// The folders at the top, as the guest knows them.
fn mounted(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut mounted = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        mounted.push((format!("/{}", entry.file_name().to_string_lossy()), entry.path()));
    }
    mounted.sort();
    Ok(mounted)
}

fn write_all(archive: &[u8], folder: &Path) -> Result<(), LoadError> {
    let malformed = |error: io::Error| LoadError::Files(error.to_string());
    let mut archive = tar::Archive::new(archive);
    for (number, member) in archive.entries().map_err(malformed)?.enumerate() {
        let mut member = member.map_err(malformed)?;
        if number >= MOST_FILES {
            return Err(LoadError::Files(format!("more than {MOST_FILES}")));
        }
        let path = member.path().map_err(malformed)?.into_owned();
        if member.header().entry_type() != tar::EntryType::Regular || !is_plain(&path) {
            let path = path.display().to_string();
            return Err(LoadError::Files(format!("`{}` is no plain file of the app", path.escape_debug())));
        }
        let modified = member.header().mtime().unwrap_or_default();
        let path = folder.join(path);
        write(&mut member, &path, modified).map_err(|source| LoadError::Cache { path, source })?;
    }
    Ok(())
}

fn write(member: &mut impl Read, path: &Path, modified: u64) -> io::Result<()> {
    path.parent().map(fs::create_dir_all).transpose()?;
    let mut file = File::create_new(path)?;
    io::copy(member, &mut file)?;
    // A time that the file system cannot have is left out.
    let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified));
    modified.map_or(Ok(()), |modified| file.set_modified(modified))
}

/// Whether a path is a number and names below it: what can lead nowhere else.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components().map(|part| match part {
        Component::Normal(name) => name.to_str().filter(|name| name.len() <= LONGEST_NAME),
        _ => None,
    });
    let is_number = |name: &str| name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_digit());
    let below = parts
        .next()
        .flatten()
        .is_some_and(is_number)
        .then(|| parts.try_fold(0, |depth, part| part.map(|_| depth + 1)));
    below.flatten().is_some_and(|depth| (1..=DEEPEST).contains(&depth))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, text) in members {
            let mut header = tar::Header::new_ustar();
            // Written into the field as it is: the crate's own setter refuses what these tests are about.
            header.as_mut_bytes().get_mut(..path.len()).unwrap().copy_from_slice(path.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mtime(1_700_000_000);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn cache() -> (TempDir, FileCache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = FileCache::open(&folder.path().join("files")).unwrap();
        (folder, cache)
    }

    #[test]
    fn an_archive_is_unpacked_once_with_its_times() {
        let (_folder, cache) = cache();
        let archive = archive(&[("1/templates/a.html", "<p>"), ("2/x.dist-info/METADATA", "Name: x")]);
        let files = cache.unpack(&archive).unwrap();
        let [(app, folder), (packages, _)] = files.folders.as_slice() else { panic!("{files:?}") };
        assert_eq!((app.as_str(), packages.as_str()), ("/1", "/2"));
        let page = folder.join("templates/a.html");
        assert_eq!(fs::read_to_string(&page).unwrap(), "<p>");
        let modified = fs::metadata(&page).unwrap().modified().unwrap();
        assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        fs::write(&page, "kept").unwrap();
        cache.unpack(&archive).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "kept");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let deep = format!("1/{}x", "d/".repeat(DEEPEST));
        for path in ["/etc/passwd", "1/../../x", "../x", "1", "x", "app/x", "11/x", &deep] {
            let (folder, cache) = cache();
            let error = cache.unpack(&archive(&[("1/fine", ""), (path, "x")])).unwrap_err();
            assert!(matches!(error, LoadError::Files(_)), "{path}: {error}");
            let left: Vec<_> = fs::read_dir(folder.path().join("files")).unwrap().flatten().collect();
            assert!(left.iter().all(|entry| entry.path().extension().is_some()), "{path}: {left:?}");
        }
    }

    #[test]
    fn a_link_is_refused() {
        let (_folder, cache) = cache();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "1/link", "/etc").unwrap();
        let text = cache.unpack(&builder.into_inner().unwrap()).unwrap_err().to_string();
        assert!(text.contains("`1/link` is no plain file"), "{text}");
    }

    #[test]
    fn garbage_and_a_cut_archive_are_refused() {
        let (_folder, cache) = cache();
        let whole = archive(&[("1/a", "text")]);
        let cut = whole.get(..514).unwrap();
        for bytes in [cut, &[b'x'; 2048]] {
            assert!(cache.unpack(bytes).is_err());
        }
    }

    #[test]
    fn the_least_recently_used_go_but_not_those_in_use() {
        let (_folder, cache) = cache();
        let unpack = |number: usize| cache.unpack(&archive(&[("1/a", &number.to_string())])).unwrap();
        let age = |files: &Files, number: u64| {
            let lock = files.folders.first().unwrap().1.parent().unwrap().with_extension(LOCK);
            let then = SystemTime::now() - Duration::from_secs(3600 - number);
            File::options().append(true).open(lock).unwrap().set_modified(then).unwrap();
        };
        let first = unpack(0);
        age(&first, 0);
        let folders: Vec<_> = (1..KEPT + 3)
            .map(|number| {
                let files = unpack(number);
                age(&files, number as u64);
                files.folders.first().unwrap().1.clone()
            })
            .collect();
        let last = unpack(100);
        assert!(first.folders.first().unwrap().1.exists(), "it is in use");
        assert!(last.folders.first().unwrap().1.exists());
        let left = folders.iter().filter(|folder| folder.exists()).count();
        assert!((KEPT - 2..=KEPT).contains(&left), "{left}");
        assert!(!folders.first().unwrap().exists());
    }
}
