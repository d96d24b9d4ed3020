//! Servers of a test's own whose programs it chooses, and where they run: for what the supervisor does not do.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{faults::kill, support::eventually};

/// The server's superuser.
pub const USER: &str = "fasterapi";

/// A folder with `postgres`, `initdb` and the rest.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// Those of `FASTERAPI_PG_BIN`.
    pub fn pinned() -> Option<Self> {
        std::env::var_os("FASTERAPI_PG_BIN").map(|folder| Self(folder.into()))
    }

    /// Debian's, the newest.
    pub fn debian() -> Option<Self> {
        let all = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let versions = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let folders = versions.map(|version| (version, format!("/usr/lib/postgresql/{version}/bin")));
        let (_, newest) = folders.filter(|(_, folder)| Path::new(folder).join("initdb").exists()).max()?;
        Some(Self(newest.into()))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn major(&self) -> u32 {
        let output = self.command("postgres", &[]).arg("--version").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let number = text.split_once("(PostgreSQL) ").unwrap().1;
        number.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    }

    /// A program, behind `prefix`. The server refuses to be root's: root's test runs it in a user namespace where it has
    /// another number. It ends with the thread that starts it.
    pub fn command(&self, name: &str, prefix: &[&str]) -> Command {
        let own = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"];
        let own = if rustix::process::geteuid().is_root() { &own[..] } else { &[] };
        let words: Vec<&str> = [prefix, own, &["setpriv", "--pdeathsig", "INT", "--"]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.0.join(name)).current_dir("/tmp").stdin(Stdio::null());
        command
    }

    /// Makes a data folder.
    pub fn init(&self, data: &Path, options: &[&str]) {
        let mut initdb = self.command("initdb", &[]);
        initdb.args(["-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"]).arg(data);
        run(initdb.args(options));
        fs::write(data.join("pg_hba.conf"), "local all all trust\nhost all all all trust\n").unwrap();
    }
}

pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// A server that runs. It stops at once when it is dropped.
pub struct Running(Child);

impl Running {
    /// Starts a server on a data folder, with its socket in another, and TCP if it has an address; `prefix` says where.
    pub async fn start(
        programs: &Programs,
        data: &Path,
        socket: &Path,
        tcp: Option<(IpAddr, u16)>,
        prefix: &[&str],
    ) -> Self {
        let mut server = programs.command("postgres", prefix);
        server.arg("-D").arg(data).arg("-k").arg(socket).args(["-c", "fsync=off"]);
        let (address, port) =
            tcp.map_or((String::new(), 5432), |(address, port)| (address.to_string(), port));
        server.args(["-c", &format!("listen_addresses={address}"), "-p", &port.to_string()]);
        let log = fs::File::create(data.with_extension("log")).unwrap();
        let mut running = Self(server.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let ready = || {
            let mut ready = programs.command("pg_isready", &[]);
            let ready = ready.args(["-q", "-p", &port.to_string(), "-h"]).arg(socket).status();
            let log = fs::read_to_string(data.with_extension("log")).unwrap();
            assert!(running.0.try_wait().unwrap().is_none(), "{log}");
            std::future::ready(ready.unwrap().success())
        };
        eventually("the server answers", ready).await;
        running
    }

    /// Stops it, fast, and waits until it has.
    pub fn stop(mut self) {
        kill(self.0.id().try_into().unwrap(), rustix::process::Signal::INT);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            kill(self.0.id().try_into().unwrap(), rustix::process::Signal::QUIT);
            let _ = self.0.wait();
        }
    }
}
