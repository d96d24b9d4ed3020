//! The user's cache folder: things made once, kept under a key of what they were made from.
//!
//! An entry is a folder. It is made aside under a file lock and renamed into place, so it is there whole or not at
//! all, whatever happens to the process, and two processes make it once. Nothing in it is changed afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::BuildError;

/// How many entries of a kind stay however old they are.
const KEPT: usize = 20;
/// What was used within this time may be in use now.
const LATELY: Duration = Duration::from_secs(2 * 24 * 3600);

/// A cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `FASTERAPI_CACHE_DIR`, or `fasterapi-host` in the user's cache folder (`~/.cache` on Linux).
    ///
    /// # Errors
    /// Neither is known: there is no home folder.
    pub fn open() -> Result<Self, BuildError> {
        if let Some(root) = std::env::var_os("FASTERAPI_CACHE_DIR").filter(|value| !value.is_empty()) {
            return Ok(Self::at(PathBuf::from(root)));
        }
        let folders = directories::ProjectDirs::from("", "", "fasterapi-host");
        let root = folders.map(|folders| folders.cache_dir().to_owned());
        root.map(Self::at).ok_or_else(|| BuildError::ToolMissing {
            what: "a cache folder".into(),
            hint: "set FASTERAPI_CACHE_DIR".into(),
        })
    }

    /// A cache in `root`, made when it is first needed.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// The cache's own folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of an entry if it is there.
    pub(crate) fn find(&self, kind: &str, key: &Key) -> Option<PathBuf> {
        let path = self.root.join(kind).join(key.as_str());
        path.is_dir().then_some(path)
    }

    /// The folder of an entry, made by `make` in an empty folder if it is not there yet. While another process
    /// makes it, this waits.
    pub(crate) fn entry(
        &self,
        kind: &str,
        key: &Key,
        make: impl FnOnce(&Path) -> Result<(), BuildError>,
    ) -> Result<PathBuf, BuildError> {
        if let Some(path) = self.find(kind, key) {
            note_use(&path);
            return Ok(path);
        }
        let _lock = self.lock(kind, key)?;
        if let Some(path) = self.find(kind, key) {
            return Ok(path);
        }
        let aside = self.folder("tmp")?.join(format!("{kind}-{}", key.as_str()));
        // Left by a process that died: the lock is ours, so nobody is at work there.
        remove_folder(&aside)?;
        create_folder(&aside)?;
        let made = make(&aside);
        if let Err(error) = made {
            remove_folder(&aside)?;
            return Err(error);
        }
        let path = self.folder(kind)?.join(key.as_str());
        fs::rename(&aside, &path).map_err(BuildError::io("rename", &aside))?;
        prune(&self.folder(kind)?, KEPT);
        prune(&self.folder("tmp")?, 0);
        Ok(path)
    }

    /// A private folder that is removed when the value is dropped.
    pub(crate) fn scratch(&self) -> Result<tempfile::TempDir, BuildError> {
        let tmp = self.folder("tmp")?;
        tempfile::Builder::new().prefix("build-").tempdir_in(&tmp).map_err(BuildError::io("create", &tmp))
    }

    fn lock(&self, kind: &str, key: &Key) -> Result<File, BuildError> {
        let path = self.folder("locks")?.join(format!("{kind}-{}", key.as_str()));
        let file = File::create(&path).map_err(BuildError::io("create", &path))?;
        file.lock().map_err(BuildError::io("lock", &path))?;
        Ok(file)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, BuildError> {
        let path = self.root.join(name);
        create_folder(&path)?;
        Ok(path)
    }
}

/// An entry's age counts from its last use. Where the file system does not take it, the entry is made again one day.
fn note_use(entry: &Path) {
    let _best_effort = File::open(entry).and_then(|folder| folder.set_modified(SystemTime::now()));
}

/// Removes the entries of a folder that are neither among the `kept` last used nor used lately. Best effort: what
/// cannot be removed now is tried again next time.
fn prune(folder: &Path, kept: usize) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<(SystemTime, PathBuf)> =
        entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    entries.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
    for (used, path) in entries.into_iter().skip(kept) {
        if used.elapsed().is_ok_and(|age| age > LATELY) {
            let _best_effort = remove_folder(&path);
        }
    }
}

pub(crate) fn create_folder(path: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(path).map_err(BuildError::io("create", path))
}

fn remove_folder(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// What an entry was made from, as a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Collects what goes into a [`Key`]. Each part is fed with its length, so parts cannot run into each other.
#[derive(Default)]
pub(crate) struct KeyMaker(Sha256);

impl KeyMaker {
    pub(crate) fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.add(bytes);
        self
    }

    pub(crate) fn add(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Key {
        let mut digest = hex::encode(self.0.finalize());
        // Half of it names a folder well enough and keeps paths short.
        digest.truncate(32);
        Key(digest)
    }
}

/// The sha256 of a file, in lower-case hex.
pub(crate) fn sha256_file(path: &Path) -> Result<String, BuildError> {
    let mut digest = Sha256::new();
    let mut file = File::open(path).map_err(BuildError::io("read", path))?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = std::io::Read::read(&mut file, &mut chunk).map_err(BuildError::io("read", path))?;
        match chunk.get(..read) {
            None | Some([]) => return Ok(hex::encode(digest.finalize())),
            Some(bytes) => digest.update(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(text: &str) -> Key {
        KeyMaker::default().part(text).finish()
    }

    #[test]
    fn an_entry_is_made_once_and_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let entry = cache.entry("kind", &key("a"), |aside| {
                        made.fetch_add(1, Ordering::SeqCst);
                        fs::write(aside.join("file"), "x").map_err(BuildError::io("write", aside))
                    });
                    assert_eq!(fs::read_to_string(entry.unwrap().join("file")).unwrap(), "x");
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failed_entry_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let failed = cache.entry("kind", &key("a"), |aside| {
            fs::write(aside.join("half"), "x").unwrap();
            Err(BuildError::Internal("broken".into()))
        });
        assert!(failed.is_err());
        assert!(cache.find("kind", &key("a")).is_none());
        let entry = cache.entry("kind", &key("a"), |_| Ok(())).unwrap();
        assert_eq!(fs::read_dir(entry).unwrap().count(), 0);
    }

    #[test]
    fn only_old_entries_beyond_the_kept_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str, days: u64| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            let used = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            File::open(&path).unwrap().set_modified(used).unwrap();
            path
        };
        let (new, old, older) = (entry("new", 0), entry("old", 10), entry("older", 20));
        prune(folder.path(), 2);
        assert!(new.exists() && old.exists() && !older.exists());
        note_use(&old);
        prune(folder.path(), 0);
        assert!(new.exists() && old.exists(), "both were used lately");
    }

    #[test]
    fn parts_of_a_key_do_not_run_into_each_other() {
        let one = KeyMaker::default().part("ab").part("c").finish();
        let other = KeyMaker::default().part("a").part("bc").finish();
        assert_ne!(one, other);
    }
}
