//! The project's folder, watched: which of the files that a build looks at have changed.
//!
//! Each folder of sources is watched by itself, so that a virtual environment beside them costs no watches and wakes
//! nobody. What was noted is a set of paths, bounded by the files there are.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, Metadata},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fasterapi_builder::is_source;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use crate::exit::Failure;

/// An editor writes a file in several steps, and a tool many files: one change ends with this long of silence.
const QUIET: Duration = Duration::from_millis(100);

/// The files of a project that a build looks at.
pub(crate) struct Sources {
    folder: PathBuf,
    watcher: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    noted: Arc<Noted>,
}

#[derive(Default)]
struct Noted {
    paths: Mutex<BTreeSet<PathBuf>>,
    woken: Notify,
    outputs: Outputs,
}

/// The files that this process's output goes to, by device and inode: what it says of a change is not the next one.
#[derive(Default)]
struct Outputs(Vec<(u64, u64)>);

impl Sources {
    /// Begins to watch `folder`, an absolute path without links.
    pub(crate) fn watch(folder: &Path) -> Result<Self, Failure> {
        let noted = Arc::new(Noted { outputs: Outputs::of_this_process(), ..Noted::default() });
        let root = folder.to_owned();
        let notes = Arc::clone(&noted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| match event {
            Ok(event) => notes.take(&root, event),
            Err(error) => tracing::warn!("a change may go unseen: {error}"),
        });
        let failed = |error| Failure::other(format!("cannot watch {}: {error}", folder.display()));
        let watcher = watcher.map_err(failed)?;
        let mut sources = Self { folder: folder.to_owned(), watcher, watched: HashSet::new(), noted };
        sources.follow(folder).map_err(failed)?;
        Ok(sources)
    }

    /// Waits for a change, until nothing has changed for a moment. Gives what did, from the folder on. Dropped, it
    /// forgets nothing.
    pub(crate) async fn changed(&mut self) -> Vec<PathBuf> {
        loop {
            self.noted.woken.notified().await;
            while timeout(QUIET, self.noted.woken.notified()).await.is_ok() {}
            // What is written into a new folder from here on is noted; what was before is there for the build.
            let folder = self.folder.clone();
            if let Err(error) = self.follow(&folder) {
                tracing::warn!("a change may go unseen: {error}");
            }
            let paths = std::mem::take(&mut *self.noted.paths.lock());
            if !paths.is_empty() {
                return self.named(paths);
            }
        }
    }

    /// What was written aside and renamed is gone: it is named only where nothing else is.
    fn named(&self, paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let (there, gone): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| self.folder.join(path).exists());
        if there.is_empty() { gone } else { there }
    }

    /// Watches a folder and those in it, where they are not watched yet.
    fn follow(&mut self, folder: &Path) -> notify::Result<()> {
        self.watched.retain(|folder| folder.is_dir());
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            if !self.watched.contains(&folder) {
                self.watcher.watch(&folder, RecursiveMode::NonRecursive)?;
                self.watched.insert(folder.clone());
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(inner.map(|entry| entry.path()).filter(|path| is_source(&self.folder, path)));
        }
        Ok(())
    }
}

impl Noted {
    fn take(&self, folder: &Path, event: notify::Event) {
        let changes = match event.kind {
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any => true,
            EventKind::Modify(what) => !matches!(what, ModifyKind::Metadata(_)),
            EventKind::Access(_) | EventKind::Other => event.need_rescan(),
        };
        let counts = |path: &Path| is_source(folder, path) && !is_aside(path) && !self.outputs.contain(path);
        let seen = event.paths.iter().filter(|path| changes && counts(path));
        let seen: Vec<_> = seen.filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_owned())).collect();
        if !seen.is_empty() || event.need_rescan() {
            let unnamed = event.need_rescan().then(|| PathBuf::from("."));
            self.paths.lock().extend(seen.into_iter().chain(unnamed));
            self.woken.notify_one();
        }
    }
}

impl Outputs {
    fn of_this_process() -> Self {
        let streams = [io::stdout().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()];
        Self::of(streams.into_iter().flatten())
    }

    fn of(streams: impl IntoIterator<Item = OwnedFd>) -> Self {
        let files = streams.into_iter().filter_map(|stream| File::from(stream).metadata().ok());
        Self(files.map(|file| identity(&file)).collect())
    }

    fn contain(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| self.0.contains(&identity(&file)))
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Whether it is a log, or what an editor keeps beside the file that is edited.
fn is_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_log = path.extension().is_some_and(|extension| extension == "log");
    is_log || name.starts_with('.') || name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(noted: &Noted, folder: &Path, name: &str) -> bool {
        noted.take(folder, notify::Event::new(EventKind::Any).add_path(folder.join(name)));
        !std::mem::take(&mut *noted.paths.lock()).is_empty()
    }

    #[test]
    fn logs_and_what_editors_keep_are_no_changes() {
        let (folder, noted) = (tempfile::tempdir().unwrap(), Noted::default());
        for name in ["main.py", "app/data.json", "log", "log.py", "main.log.py"] {
            assert!(notes(&noted, folder.path(), name), "{name}");
        }
        for name in ["dev.log", "logs/app.log", ".main.py.swp", "main.py~"] {
            assert!(!notes(&noted, folder.path(), name), "{name}");
        }
    }

    #[test]
    fn what_the_process_says_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let create = |name: &str| File::create(folder.path().join(name)).unwrap();
        create("other.txt");
        let outputs = Outputs::of([create("out.txt").into(), create("err.txt").into()]);
        let noted = Noted { outputs, ..Noted::default() };
        fs::rename(folder.path().join("err.txt"), folder.path().join("renamed.txt")).unwrap();
        assert!(!notes(&noted, folder.path(), "out.txt") && !notes(&noted, folder.path(), "renamed.txt"));
        assert!(notes(&noted, folder.path(), "other.txt") && notes(&noted, folder.path(), "gone.txt"));
    }
}
