//! The project's folder, watched: which of the files that a build looks at have changed.
//!
//! Each folder of sources is watched by itself, so that a virtual environment beside them costs no watches and wakes
//! nobody. What was noted is a set of paths, bounded by the files there are.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
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
}

impl Sources {
    /// Begins to watch `folder`, an absolute path without links.
    pub(crate) fn watch(folder: &Path) -> Result<Self, Failure> {
        let (noted, root) = (Arc::new(Noted::default()), folder.to_owned());
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
        let seen = event.paths.iter().filter(|path| changes && is_source(folder, path) && !is_aside(path));
        let seen: Vec<_> = seen.filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_owned())).collect();
        if !seen.is_empty() || event.need_rescan() {
            let unnamed = event.need_rescan().then(|| PathBuf::from("."));
            self.paths.lock().extend(seen.into_iter().chain(unnamed));
            self.woken.notify_one();
        }
    }
}

/// Whether it is what an editor keeps beside the file that is edited.
fn is_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~')
}
