//! `fasterapi:postgres` for one ordinary Python process on this machine: tests, scripts, development.
//!
//! The same pools and the same answers as in a component, without WebAssembly. The Python process starts this one and
//! holds its standard input; [`serve`] says on standard output where it listens and, after a tab, the number of the
//! protocol (both sides must have the same), and ends when the input does, so a
//! bridge never outlives its process. The listening socket stands in a folder of mode 0700.
//!
//! # Protocol
//!
//! A connection is a line of calls, one at a time, each answered by one frame; 40 may come while one is under way. It
//! holds what its calls open: closing it drops a call under way (which cancels its statement) and rolls an open
//! transaction back. Concurrent calls take connections of their own, so nothing waits behind anything else.
//!
//! A frame is a u32 length, then that many bytes: a code, and fields to the end. A field is a u32 length and its bytes;
//! the length `0xffff_ffff` stands for no value. Numbers are little-endian, a handle is a field of 4 bytes.
//!
//! | code | call | fields | answer |
//! |---|---|---|---|
//! | 1 | `client.resolve` | target | alias |
//! | 2 | `client.query` | database, statement, parameters, timeout | 4 bytes: handle of the other rows, 0 for none; block |
//! | 3 | `client.begin` | database, isolation?, read-only?, deferrable?, retries | handle |
//! | 4 | `client.batch` | database, block, timeout | block |
//! | 5 | `client.stream` | database, statement, parameters, timeout | handle |
//! | 6, 7 | `client.copy-in`, `client.copy-out` | database, statement | handle |
//! | 8 | `client.listen` | database, channels with null characters between them | handle |
//! | 9 | `client.lend-rows` | database, statement, parameters, format | handle, for 35 |
//! | 16 | `transaction.query` | handle, statement, parameters, timeout | block |
//! | 17, 18, 19 | `.savepoint`, `.release`, `.rollback-to` | handle, name | |
//! | 20, 21 | `.commit`, `.rollback` | handle | |
//! | 22 | `.batch` | handle, block, timeout | block |
//! | 23 | `.stream` | handle, statement, parameters, timeout | handle |
//! | 24, 25 | `.copy-in`, `.copy-out` | handle, statement | handle |
//! | 33 | `rows.columns` | handle | block |
//! | 34, 35 | `rows.next`, `copy-reader.next` | handle | block or data, empty at the end |
//! | 36 | `copy-writer.write` | handle, data | |
//! | 37 | `copy-writer.finish`, which drops it | handle | rows: 8 bytes |
//! | 38 | `listener.wait` | handle, timeout | event: channel, payload and process with null characters between them; a null character for a gap; none in time |
//! | 32 | drop what a handle means | handle | |
//! | 40 | cancel the call under way, which then fails with `canceled`; no answer of its own | | |
//!
//! Answers: code 0 and the fields above, or code 1 and the record `error` in the order of its fields. `isolation` and
//! the kinds of errors are the names of the WIT file; a flag is a field that is there or not.

mod calls;
mod failure;
mod held;
mod line;
mod wire;

use std::{io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use fasterapi_core::TenantId;
use fasterapi_postgres::Databases;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    task::JoinSet,
};

/// Whose databases the bridge lends.
#[derive(Clone, Debug)]
pub struct Grants {
    /// The host's databases.
    pub databases: Arc<Databases>,
    /// Whose grants count.
    pub tenant: TenantId,
}

/// Lends `grants` to the process that holds this one's standard input, until that ends. What its connections hold
/// then is dropped; the caller closes the pools.
///
/// # Errors
/// When the socket cannot be made, or standard output takes no line.
pub async fn serve(grants: Grants) -> io::Result<()> {
    let bridge = Bridge::open()?;
    let mut stdout = tokio::io::stdout();
    stdout.write_all(format!("{}\t{PROTOCOL}\n", bridge.path().display()).as_bytes()).await?;
    stdout.flush().await?;
    tokio::select! {
        () = bridge.accept(&grants) => Ok(()),
        () = end_of_input() => Ok(()),
    }
}

async fn end_of_input() {
    let (mut input, mut byte) = (tokio::io::stdin(), [0]);
    while input.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}

/// A listening bridge. Its socket goes with it.
#[derive(Debug)]
pub struct Bridge {
    listener: UnixListener,
    folder: TempDir,
}

impl Bridge {
    /// Listens on a socket in a folder of its own. To be called on a tokio runtime.
    ///
    /// # Errors
    /// When the folder or the socket cannot be made.
    pub fn open() -> io::Result<Self> {
        let private = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("fasterapi-").permissions(private).tempdir()?;
        let listener = UnixListener::bind(folder.path().join(SOCKET))?;
        Ok(Self { listener, folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(SOCKET)
    }

    /// Serves connections. Dropping the future ends them all.
    pub async fn accept(&self, grants: &Grants) {
        let mut lines = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = lines.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    lines.spawn(line::serve(stream, grants.clone()));
                }
                // Out of descriptors: a line that ends gives one back.
                Err(error) => {
                    tracing::warn!("the bridge cannot take a connection: {error}");
                    let _ = lines.join_next().await;
                }
            }
        }
    }
}

const SOCKET: &str = "bridge";
/// To be raised with every change of the protocol above; also in the SDK, `fasterapi/pg/_native/process.py`.
const PROTOCOL: u32 = 3;
