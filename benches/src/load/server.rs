//! The servers: which there are, waited for, asked for their costs, and ended.

use std::net::SocketAddr;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Cpu, Memory};

/// The core that servers run on.
pub const CORE: usize = 0;

/// Making a component or an image for the first time takes its time.
const START_PATIENCE: Duration = Duration::from_secs(180);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Ours.
    Host,
    /// Ours, with every route in the ASGI lane.
    HostAsgi,
    /// With uvloop and httptools.
    Uvicorn,
    /// Its ASGI side.
    Granian,
    /// uvicorn again, with FastAPI and asyncpg's pool.
    Asyncpg,
    /// uvicorn again, with FastAPI and psycopg 3's pool.
    Psycopg,
}

impl Kind {
    /// Whether it is this host.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Host | Self::HostAsgi)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "fasterapi-host",
            Self::HostAsgi => "fasterapi-host, ASGI lane",
            Self::Uvicorn => "uvicorn",
            Self::Granian => "granian",
            Self::Asyncpg => "asyncpg",
            Self::Psycopg => "psycopg",
        }
    }
}

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    pub addr: SocketAddr,
    child: Child,
}

impl Server {
    /// Waits until `child` accepts connections.
    pub fn started(kind: Kind, addr: SocketAddr, child: Child) -> Result<Self> {
        let mut server = Self { kind, addr, child };
        server.wait_until_up()?;
        Ok(server)
    }

    pub fn cpu(&self) -> Result<Cpu> {
        process::cpu(&process::tree(self.child.id()))
    }

    pub fn memory(&self) -> Result<Memory> {
        process::memory(&process::tree(self.child.id()))
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let (name, started) = (self.kind.name(), Instant::now());
        while started.elapsed() < START_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("{name} ended before it answered: {status}");
            }
            if std::net::TcpStream::connect(self.addr).is_ok() {
                return Ok(());
            }
            pause();
        }
        bail!("{name} does not answer on {} within {START_PATIENCE:?}", self.addr)
    }

    fn signal(pid: u32, signal: Signal) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process(pid, signal);
        }
    }
}

impl Drop for Server {
    /// A polite end first; then whatever is left of its processes is killed.
    fn drop(&mut self) {
        let pids = process::tree(self.child.id());
        Self::signal(self.child.id(), Signal::TERM);
        let started = Instant::now();
        while started.elapsed() < STOP_PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause();
        }
        pids.into_iter().for_each(|pid| Self::signal(pid, Signal::KILL));
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "no runtime here; between two looks at another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}
