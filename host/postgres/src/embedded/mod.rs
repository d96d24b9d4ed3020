//! A private Postgres for development, run by the host.
//!
//! [`EmbeddedServer::start`] finds the server's programs, makes a data folder on first use, starts the server and
//! keeps it running; dropping the value stops it. The server trusts whoever reaches its socket, which is safe only
//! because nobody else does: it listens on no network address, and its unix socket stands in a folder of mode 0700.
//! Apps are no superusers on it ([`Address`]).
//!
//! One server per data folder: when another process of this user already runs one there, it is used and left alone;
//! when that process ends and takes its server along, this one starts its own, at the same socket, so that pools
//! recover by themselves. A host killed with `kill -9` leaves a server that stops by itself (parent death signal).

mod account;
mod binaries;
mod cluster;
mod keeper;
mod layout;
mod probe;
mod process;
mod roles;

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::{
    cluster::Cluster,
    layout::Layout,
    roles::{APP, SUPERUSER},
};
use crate::{DatabaseConfig, PgError, ident::quoted};

/// What the server needs from its caller.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The folder that the server's files live in, one sub-folder per major version. Made if missing.
    pub data_dir: PathBuf,
    /// Folders with `postgres` and `initdb` to fall back on when neither `FASTERAPI_PG_BIN` nor PATH nor
    /// `/usr/lib/postgresql` has them.
    pub extra_bin_dirs: Vec<PathBuf>,
}

/// Why there is no embedded server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// The server's programs are nowhere.
    #[error(
        "no postgres server found in FASTERAPI_PG_BIN, PATH, /usr/lib/postgresql{}\nhint: apt-get install \
         postgresql, or set FASTERAPI_PG_BIN to a folder with `postgres` and `initdb`, or give a database url",
        shown(extra)
    )]
    NotFound {
        /// The folders that the caller named.
        extra: Vec<PathBuf>,
    },
    /// `FASTERAPI_PG_BIN` names a folder without a server.
    #[error("FASTERAPI_PG_BIN is `{}`, which has no working `postgres` and `initdb`", path.display())]
    NotInFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Postgres refuses to run as root, and no other account can be used.
    #[error(
        "postgres does not run as root, and neither the users postgres and nobody nor a user namespace can reach \
         `{}`\nhint: run as another user, or set FASTERAPI_PG_BIN to a folder that all users can read",
        path.display()
    )]
    Root {
        /// What cannot be reached.
        path: PathBuf,
    },
    /// A file or folder could not be used.
    #[error("cannot use `{}` for the embedded postgres: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that others could write to.
    #[error("`{}` must be a folder of this user, of mode 0700: it is to hold the embedded postgres's socket", path.display())]
    Unsafe {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed: {output}")]
    Init {
        /// The end of what it printed.
        output: String,
    },
    /// The server ended instead of starting.
    #[error("the embedded postgres did not start: {log}")]
    Start {
        /// The end of its log.
        log: String,
    },
    /// The server neither ended nor answered.
    #[error("the embedded postgres gave no answer within {seconds} s; see `{}`", log.display())]
    Silent {
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The name is none that a database can have.
    #[error("a database's name has 1 to 63 bytes, none of them null")]
    Name,
    /// The server refused.
    #[error("the embedded postgres refused: {0}")]
    Refused(#[from] PgError),
}

fn shown(extra: &[PathBuf]) -> String {
    extra.iter().map(|path| format!(", {}", path.display())).collect()
}

/// How to reach an embedded server, and as whom: as an app, or as its [superuser](Self::as_superuser).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    socket_dir: PathBuf,
    user: &'static str,
}

impl Address {
    fn new(socket_dir: &Path) -> Self {
        Self { socket_dir: socket_dir.to_owned(), user: APP }
    }

    /// The same server, as whoever may do everything on it: programs and files of this machine included.
    #[must_use]
    pub fn as_superuser(&self) -> Self {
        Self { user: SUPERUSER, ..self.clone() }
    }

    /// The folder of the server's socket; the port is 5432.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The user to connect as, without a password.
    #[must_use]
    pub fn user(&self) -> &'static str {
        self.user
    }

    /// The address of `database` for psql and other clients of this user.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');
        let folder = self.socket_dir.to_string_lossy();
        let (database, folder) =
            (utf8_percent_encode(database, NON_ALPHANUMERIC), utf8_percent_encode(&folder, PLAIN));
        format!("postgres://{}@/{database}?host={folder}", self.user)
    }

    /// The configuration of a grant of `database`.
    #[must_use]
    pub fn database(&self, database: &str) -> DatabaseConfig {
        DatabaseConfig::on_socket(&self.socket_dir, self.user, database)
    }

    /// Makes `database` if it is missing, for apps to do with as they like. Dropping the future leaves it made or not.
    ///
    /// # Errors
    /// [`EmbeddedError::Name`], [`EmbeddedError::Refused`].
    pub async fn create_database(&self, database: &str) -> Result<(), EmbeddedError> {
        let name = quoted(database).ok_or(EmbeddedError::Name)?;
        let superuser = self.as_superuser();
        Ok(roles::make(&name, |database| superuser.database(database), database).await?)
    }
}

/// Finds a server that already runs on `data_dir`, this process's or another's. Blocks for a moment.
#[must_use]
pub fn locate(data_dir: &Path) -> Option<Address> {
    let layouts = Layout::candidates(data_dir);
    let found = layouts.into_iter().find(|layout| probe::probe(&layout.socket()) == probe::Answer::Ready)?;
    Some(Address::new(&found.socket_dir))
}

/// A running embedded server. Dropping it stops the server, unless another process runs it, and blocks until then.
#[derive(Debug)]
pub struct EmbeddedServer {
    address: Address,
    borrowed: bool,
    stop: mpsc::Sender<()>,
    keeper: Option<JoinHandle<()>>,
}

impl EmbeddedServer {
    /// Starts the server, or finds the one that runs. Blocks until it answers: about a second the first time, a
    /// tenth later, at most a minute.
    ///
    /// # Errors
    /// [`EmbeddedError`], each with what to do about it.
    pub fn start(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let cluster = Cluster::plan(config)?;
        let address = Address::new(&cluster.layout.socket_dir);
        let (keeper, stop, borrowed) = keeper::start(cluster)?;
        Ok(Self { address, borrowed, stop, keeper: Some(keeper) })
    }

    /// Whether another process ran the server when this one came.
    #[must_use]
    pub fn is_borrowed(&self) -> bool {
        self.borrowed
    }

    /// Stops the server and waits for its end: its clients are cut off, what was committed is safe.
    pub fn stop(self) {}
}

impl Deref for EmbeddedServer {
    type Target = Address;

    fn deref(&self) -> &Address {
        &self.address
    }
}

impl Drop for EmbeddedServer {
    fn drop(&mut self) {
        // A keeper that has ended takes no message, and has nothing to stop.
        let _ = self.stop.send(());
        if self.keeper.take().is_some_and(|keeper| keeper.join().is_err()) {
            tracing::error!("the keeper of the embedded postgres panicked");
        }
    }
}
