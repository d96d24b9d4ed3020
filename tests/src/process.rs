//! The host as its users run it: a program with arguments, an environment and signals.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};

use crate::{
    eventually,
    guest::build_folder,
    http::Client,
    wait::{Patience, in_time},
};

/// The program, with what it needs of the environment and nothing that would change what it does.
#[must_use]
pub fn program() -> Command {
    let mut command = Command::new(path());
    command.arg0("fasterapi-host").env_remove("RUST_LOG").env_remove("DATABASE_URL").env_remove("PORT");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FASTERAPI_")) {
        if !["FASTERAPI_CACHE_DIR", "FASTERAPI_PYTHON", "FASTERAPI_PG_BIN"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Where the program is.
#[must_use]
pub fn path() -> PathBuf {
    build_folder().join("host-under-test")
}

/// What a command that ended left.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a command to its end, and checks that it left no process behind.
pub async fn run(mut command: Command) -> Ended {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let group = child.id();
    let what = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let ended = in_time(&what, output).await.unwrap().unwrap().into();
    eventually!(members(group).is_empty(), "{what} left processes behind: {:?}", members(group));
    ended
}

/// The commands of a process group that are still alive.
fn members(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (command, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        (fields[0] != "Z" && fields[2] == group.to_string()).then(|| command.to_owned())
    });
    processes.collect()
}

/// A server that runs as a process of its own. It is killed with the value, unless it has ended.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl HostProcess {
    /// Runs `command` until it says where it listens.
    pub async fn start(command: Command) -> Self {
        Self::start_other(command, "listening on http://").await
    }

    /// Runs a server that is not ours until it prints, after `said`, where it listens.
    pub async fn start_other(mut command: Command, said: &str) -> Self {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = follow(child.stdout.take().unwrap());
        let stderr = follow(child.stderr.take().unwrap());
        let mut started = Self {
            child,
            addr: ([0, 0, 0, 0], 0).into(),
            stdout: Arc::clone(&stdout),
            stderr: Arc::clone(&stderr),
        };
        let patience = Patience::new();
        loop {
            let addr = [&stdout, &stderr].iter().find_map(|text| listening(&text.lock(), said));
            if let Some(addr) = addr {
                started.addr = addr;
                return started;
            }
            let ended = started.child.try_wait().unwrap();
            assert!(ended.is_none() && !patience.is_over(), "no server ({ended:?}): {}", stderr.lock());
            crate::wait::pause().await;
        }
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.addr)
    }

    /// Its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.lock().clone()
    }

    /// Its standard error so far: the log.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().clone()
    }

    /// The memory that it wrote and shares with nobody, in bytes. Clean pages of a file are not counted: they are its own or
    /// shared as other processes map the same file or not.
    #[must_use]
    pub fn private_memory(&self) -> usize {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let private = rollup.lines().filter(|line| line.starts_with("Private_Dirty"));
        let kibibytes = private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap());
        kibibytes.sum::<usize>() * 1024
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it has ended, and checks that it left no process behind.
    pub async fn ended(mut self) -> (ExitStatus, String, String) {
        let group = self.child.id();
        eventually!(self.child.try_wait().unwrap().is_some());
        eventually!(members(group).is_empty(), "the server left processes behind: {:?}", members(group));
        (self.child.wait().unwrap(), self.stdout(), self.stderr())
    }

    /// Ends it as a service manager does.
    pub async fn stop(self) -> (ExitStatus, String, String) {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(text: &str, said: &str) -> Option<SocketAddr> {
    let places = text.lines().filter_map(|line| line.strip_prefix(said));
    places.filter_map(|place| place.split([' ', '/']).next()?.parse().ok()).next()
}

fn follow(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            shared.lock().push_str(&(line + "\n"));
        }
    });
    text
}
