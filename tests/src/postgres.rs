//! A Postgres for tests: the embedded server, in a folder of its own.

use std::sync::{
    Arc, LazyLock, Weak,
    atomic::{AtomicU32, Ordering},
};

use fasterapi_builder::{Cache, Event, pg_binaries};
use fasterapi_core::Secret;
use fasterapi_host::DatabaseChoice;
use fasterapi_postgres::embedded::{EmbeddedConfig, EmbeddedError, EmbeddedServer};
use parking_lot::Mutex;
use tempfile::TempDir;

/// A server. It stops with its last user, and its folder goes.
#[derive(Debug)]
pub struct Postgres {
    server: Mutex<Option<EmbeddedServer>>,
    config: EmbeddedConfig,
    // Dropped last.
    _folder: TempDir,
}

impl Postgres {
    /// One that the tests which run now share. Blocks for a moment.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Mutex<Weak<Postgres>>> = LazyLock::new(Mutex::default);
        let mut shared = SHARED.lock();
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::own());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// One of the caller's own.
    #[must_use]
    pub fn own() -> Self {
        // Sockets are in it, whose paths are short.
        let folder = tempfile::Builder::new().prefix("fpt-").tempdir_in("/tmp").unwrap();
        let mut config = EmbeddedConfig { data_dir: folder.path().to_owned(), extra_bin_dirs: Vec::new() };
        let server = match EmbeddedServer::start(&config) {
            Err(EmbeddedError::NotFound { .. }) => {
                config.extra_bin_dirs =
                    vec![pg_binaries::ensure(&Cache::open().unwrap(), &|_: Event<'_>| {}).unwrap()];
                EmbeddedServer::start(&config).unwrap()
            }
            started => started.unwrap(),
        };
        Self { server: Mutex::new(Some(server)), config, _folder: folder }
    }

    /// Stops the server; what is in it stays.
    pub fn stop(&self) {
        drop(self.server.lock().take());
    }

    /// Starts it again, at the same address.
    pub fn restart(&self) {
        *self.server.lock() = Some(EmbeddedServer::start(&self.config).unwrap());
    }

    /// The URL of an empty database that nobody else uses.
    pub async fn database(self: &Arc<Self>) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.database_named(&name).await
    }

    /// The URL of a database of that name, made if it is not there.
    pub async fn database_named(self: &Arc<Self>, name: &str) -> String {
        let address = self.server.lock().as_deref().unwrap().clone();
        address.create_database(name).await.unwrap();
        address.url(name)
    }
}

/// What `--pg URL` makes of a URL.
#[must_use]
pub fn choice(url: String) -> DatabaseChoice {
    DatabaseChoice::Url(Secret::new(url))
}
