//! The servers: how each is started on its core, asked for its costs, and ended.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use super::peers::Peers;
use super::scenario::App;
use crate::process::{self, Cpu, Memory};
use crate::{apps, machine};

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
}

impl Kind {
    /// In the order of a round.
    pub const ALL: [Self; 4] = [Self::Host, Self::HostAsgi, Self::Uvicorn, Self::Granian];

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
        }
    }
}

/// What servers are started from.
#[derive(Debug)]
pub struct Launcher {
    host: Option<PathBuf>,
    peers: Option<Peers>,
}

impl Launcher {
    /// Makes ready what `kinds` need.
    pub fn prepare(kinds: &[Kind]) -> Result<Self> {
        let host = if kinds.iter().any(|kind| kind.is_ours()) { Some(build_host()?) } else { None };
        let peers = if kinds.iter().any(|kind| !kind.is_ours()) { Some(Peers::ensure()?) } else { None };
        Ok(Self { host, peers })
    }

    pub fn versions(&self) -> Result<String> {
        let host = self.host.as_ref().map(|host| machine::output(&host.to_string_lossy(), &["--version"]));
        let peers = self.peers.as_ref().map(Peers::versions).transpose()?;
        Ok(host.into_iter().chain(peers).collect::<Vec<_>>().join(" · "))
    }

    /// Starts a server on its core and waits until it accepts connections.
    pub fn start(&self, kind: Kind, app: App) -> Result<Server> {
        let addr = free_address()?;
        let mut command = self.command(kind, app, addr)?;
        command.current_dir(apps::folder(app.name())).stdin(Stdio::null()).stdout(Stdio::null());
        for name in ["DATABASE_URL", "PORT", "RUST_LOG", "WEB_CONCURRENCY"] {
            command.env_remove(name);
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", kind.name()))?;
        let mut server = Server { kind, addr, child };
        server.wait_until_up()?;
        Ok(server)
    }

    fn command(&self, kind: Kind, app: App, addr: SocketAddr) -> Result<Command> {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let peer = |name| anyhow::Ok(on_core(&self.peers.as_ref().context("no peers")?.program(name)));
        let mut command = match kind {
            Kind::Host | Kind::HostAsgi => {
                let component = match app {
                    App::Plain => apps::component(app.name())?,
                    App::Bare => apps::empty_guest()?,
                };
                let mut host = on_core(self.host.as_ref().context("no host")?);
                host.arg("serve").arg(component).args([
                    "--addr",
                    &addr.to_string(),
                    "--pg",
                    "none",
                    "--log",
                    "warn",
                    "--lane",
                    if kind == Kind::HostAsgi { "asgi" } else { "auto" },
                ]);
                return Ok(host);
            }
            Kind::Uvicorn => peer("uvicorn")?,
            Kind::Granian => peer("granian")?,
        };
        command.args(["main:app", "--host", &ip, "--port", &port, "--workers", "1", "--loop", "uvloop"]);
        command.args(["--no-access-log", "--log-level", "warning"]);
        command.args(match kind {
            Kind::Granian => ["--interface", "asgi", "--http", "1", "--runtime-threads", "1"].as_slice(),
            _ => &["--http", "httptools"],
        });
        Ok(command)
    }
}

/// A program on the servers' core, which dies with us whatever happens.
fn on_core(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &CORE.to_string()]).arg(program);
    command
}

/// The host's program, built now: it lies beside this one.
fn build_host() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--release", "--quiet", "--package", "fasterapi-host"])
        .current_dir(apps::crate_folder());
    ensure!(build.status().context("cannot run cargo")?.success(), "the host does not build");
    let program = std::env::current_exe()?.with_file_name("fasterapi-host");
    ensure!(program.is_file(), "{} is not there", program.display());
    Ok(program)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    pub addr: SocketAddr,
    child: Child,
}

impl Server {
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
