//! The thread that keeps the server running.
//!
//! It starts the server itself: the parent death signal follows the thread that forked, not the process.

use std::{
    process::Child,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    EmbeddedError,
    cluster::{Cluster, Running, pause},
    probe,
};

/// How often the server is looked at.
const WATCH: Duration = Duration::from_millis(200);
/// The wait before a server that ended unasked is started again; doubled at each failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// How long a fast shutdown may take before an immediate one.
const FAST: Duration = Duration::from_secs(20);
const IMMEDIATE: Duration = Duration::from_secs(5);

/// Starts the thread and waits until the server answers: the thread, how to stop it, and whether the server is
/// another process's.
pub(super) fn start(cluster: Cluster) -> Result<(JoinHandle<()>, Sender<()>, bool), EmbeddedError> {
    let (stop, stopped) = channel();
    let (first, started) = sync_channel(1);
    let path = cluster.layout.root.clone();
    let keeper = thread::Builder::new()
        .name("postgres-keeper".into())
        .spawn(move || keep(&cluster, &stopped, &first))
        .map_err(|source| EmbeddedError::File { path, source })?;
    // The thread answers or panics; a panic closes the channel.
    let borrowed = started.recv().unwrap_or_else(|_| {
        Err(EmbeddedError::Start { log: "the keeper of the embedded postgres panicked".into() })
    })?;
    Ok((keeper, stop, borrowed))
}

fn keep(cluster: &Cluster, stopped: &Receiver<()>, first: &SyncSender<Result<bool, EmbeddedError>>) {
    let mut running = match cluster.bring_up() {
        Ok(running) => running,
        Err(error) => return drop(first.send(Err(error))),
    };
    let _ = first.send(Ok(matches!(running, Running::Other(_))));
    let mut backoff = FIRST_BACKOFF;
    loop {
        let since = Instant::now();
        if watch(running, stopped) {
            return;
        }
        if since.elapsed() > MAX_BACKOFF {
            backoff = FIRST_BACKOFF;
        }
        tracing::warn!("the embedded postgres ended; starting it again");
        running = loop {
            if wait_for_stop(stopped, backoff) {
                return;
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
            match cluster.bring_up() {
                Ok(running) => break running,
                Err(error) => tracing::error!(%error, "the embedded postgres cannot be started again"),
            }
        };
    }
}

/// Until the server has ended (false) or was stopped on request (true).
fn watch(running: Running, stopped: &Receiver<()>) -> bool {
    match running {
        Running::Own(mut child) => loop {
            if wait_for_stop(stopped, WATCH) {
                shut_down(&mut child);
                return true;
            }
            if !matches!(child.try_wait(), Ok(None)) {
                return false;
            }
        },
        Running::Other(pid) => loop {
            if wait_for_stop(stopped, WATCH) {
                return true;
            }
            if !pid.is_some_and(probe::lives) {
                return false;
            }
        },
    }
}

fn wait_for_stop(stopped: &Receiver<()>, duration: Duration) -> bool {
    !matches!(stopped.recv_timeout(duration), Err(RecvTimeoutError::Timeout))
}

/// SIGINT is a fast shutdown: clients are cut off, a checkpoint is written. SIGQUIT leaves the checkpoint to the
/// next start (PostgreSQL documentation, section 19.5).
fn shut_down(child: &mut Child) {
    for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(5));
        }
    }
    tracing::error!("the embedded postgres did not stop; killing it");
    let _ = child.kill();
    let _ = child.wait();
}
