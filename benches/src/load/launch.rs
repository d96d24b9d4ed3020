//! Starting a server of each kind on its core.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::peers::Peers;
use super::scenario::App;
use super::server::{CORE, Kind, Server};
use crate::{apps, machine};

/// What servers are started from.
#[derive(Debug)]
pub struct Launcher {
    host: Option<PathBuf>,
    peers: Option<Peers>,
    /// The database that they are to use.
    database: Option<String>,
}

impl Launcher {
    /// Makes ready what `kinds` need.
    pub fn prepare(kinds: &[Kind]) -> Result<Self> {
        let host = if kinds.iter().any(|kind| kind.is_ours()) { Some(build_host()?) } else { None };
        let peers = if kinds.iter().any(|kind| !kind.is_ours()) { Some(Peers::ensure()?) } else { None };
        Ok(Self { host, peers, database: None })
    }

    /// Has the servers use the database at `url`.
    #[must_use]
    pub fn on_database(self, url: &str) -> Self {
        Self { database: Some(url.to_owned()), ..self }
    }

    pub fn versions(&self, app: App) -> Result<String> {
        let host = self.host.as_ref().map(|host| machine::output(&host.to_string_lossy(), &["--version"]));
        let peers = self.peers.as_ref().map(|peers| peers.versions(app.packages())).transpose()?;
        Ok(host.into_iter().chain(peers).collect::<Vec<_>>().join(" · "))
    }

    /// Starts a server on its core and waits until it accepts connections.
    pub fn start(&self, kind: Kind, app: App) -> Result<Server> {
        let addr = free_address()?;
        let mut command =
            if kind.is_ours() { self.host(kind, app, addr)? } else { self.peer(kind, app, addr)? };
        let child =
            command.stdout(Stdio::null()).spawn().with_context(|| format!("cannot start {}", kind.name()))?;
        Server::started(kind, addr, child)
    }

    /// A peers' program on the servers' core, in the app's folder.
    pub fn peers_program(&self, name: &str, app: App) -> Result<Command> {
        let mut command = on_core(&self.peers.as_ref().context("no peers")?.program(name), app);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url);
        }
        Ok(command)
    }

    fn host(&self, kind: Kind, app: App, addr: SocketAddr) -> Result<Command> {
        let component = match app {
            App::Plain | App::Postgres => apps::component(app.name())?,
            App::Bare => apps::empty_guest()?,
        };
        let mut command = on_core(self.host.as_ref().context("no host")?, app);
        command.arg("serve").arg(component).args(["--addr", &addr.to_string(), "--log", "warn"]);
        command.args(["--lane", if kind == Kind::HostAsgi { "asgi" } else { "auto" }]);
        command.args(["--pg", self.database.as_deref().unwrap_or("none"), "--max-body", "1GiB"]);
        Ok(command)
    }

    fn peer(&self, kind: Kind, app: App, addr: SocketAddr) -> Result<Command> {
        let (program, module) = match kind {
            Kind::Granian => ("granian", "main:app"),
            Kind::Asyncpg => ("uvicorn", "peers.on_asyncpg:app"),
            Kind::Psycopg => ("uvicorn", "peers.on_psycopg:app"),
            Kind::Uvicorn | Kind::Host | Kind::HostAsgi => ("uvicorn", "main:app"),
        };
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let mut command = self.peers_program(program, app)?;
        command.args([module, "--host", &ip, "--port", &port, "--workers", "1", "--loop", "uvloop"]);
        command.args(["--no-access-log", "--log-level", "warning"]);
        command.args(match kind {
            Kind::Granian => ["--interface", "asgi", "--http", "1", "--runtime-threads", "1"].as_slice(),
            _ => &["--http", "httptools"],
        });
        Ok(command)
    }
}

/// A program on the servers' core, which dies with us whatever happens, in the folder of the app.
pub fn on_core(program: &Path, app: App) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &CORE.to_string()]).arg(program);
    for name in ["DATABASE_URL", "PORT", "RUST_LOG", "WEB_CONCURRENCY"] {
        command.env_remove(name);
    }
    command.current_dir(apps::folder(app.name())).stdin(Stdio::null());
    command
}

/// The host's program as users get it, built now with the features that it has in the workspace.
pub fn build_host() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--release", "--quiet", "--workspace", "--bin", "fasterapi-host"])
        .current_dir(apps::crate_folder());
    ensure!(build.status().context("cannot run cargo")?.success(), "the host does not build");
    // This program stands in the folder of another profile, beside it.
    let here = std::env::current_exe()?;
    let folder = here.ancestors().nth(2).context("the program lies in no folder of cargo's")?;
    let program = folder.join("release/fasterapi-host");
    ensure!(program.is_file(), "{} is not there", program.display());
    Ok(program)
}

/// An address that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
