//! The server's side.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use fasterapi_postgres::Databases;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{DatabaseReport, Report, folder};
use crate::exit::Failure;

/// A socket that answers until it is dropped.
pub(crate) struct StatusSocket {
    path: PathBuf,
    answers: JoinHandle<()>,
}

impl StatusSocket {
    /// Answers from now on for the server of `component` at `address`. None, with a warning, where there can be no socket: a
    /// server can do without.
    pub(crate) fn open(component: &str, address: impl ToString, databases: Arc<Databases>) -> Option<Self> {
        let socket = Self::try_open(component, address, databases);
        socket.inspect_err(|error| tracing::warn!("`pg status` will not see this server: {error}")).ok()
    }

    fn try_open(component: &str, address: impl ToString, databases: Arc<Databases>) -> Result<Self, Failure> {
        let address = address.to_string();
        // A process may serve several.
        let path = folder()?.join(format!("{}-{}.sock", std::process::id(), address.replace('/', "_")));
        let failed = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let component = component.to_owned();
        let report = move || Report {
            pid: std::process::id(),
            component: component.clone(),
            address: address.clone(),
            databases: DatabaseReport::all(&databases),
        };
        Ok(Self { path, answers: tokio::spawn(answer(listener, report)) })
    }
}

/// How long whoever asks may take to read: the next one waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Out of descriptors, another try at once would fail again.
const PAUSE: Duration = Duration::from_millis(100);

async fn answer(listener: UnixListener, report: impl Fn() -> Report) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match timeout(PATIENCE, send(stream, &report())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!("a connection to the status socket broke: {error}"),
                Err(_) => tracing::debug!("a connection to the status socket took nothing for {PATIENCE:?}"),
            },
            Err(error) => {
                tracing::debug!("the status socket takes no connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn send(mut stream: UnixStream, report: &Report) -> io::Result<()> {
    stream.write_all(&serde_json::to_vec(report).map_err(io::Error::other)?).await
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        self.answers.abort();
        let _ = fs::remove_file(&self.path);
    }
}
