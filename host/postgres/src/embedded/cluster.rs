//! One server's files and programs: making the data folder, starting the server, waiting for it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Pid;

use super::{
    EmbeddedConfig, EmbeddedError,
    account::Account,
    binaries::{self, Binaries},
    layout::Layout,
    probe::{self, Answer},
    process,
    roles::SUPERUSER,
};

/// Longest wait for another process that starts or stops the server, and for a server to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a start is tried again while the pid file of a killed server stands in its way: its children need up
/// to two seconds to notice. The file is never deleted here: it protects the data.
const STALE_PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);
/// A log larger than this is emptied at start.
const MAX_LOG: u64 = 8 << 20;
const MAX_CONNECTIONS: u32 = 200;

/// The first version with a built-in UTF-8 locale, which needs none of the system's.
const BUILTIN_LOCALE_SINCE: u32 = 17;

/// What is needed to run one server.
#[derive(Debug)]
pub(super) struct Cluster {
    binaries: Binaries,
    account: Account,
    pub(super) layout: Layout,
}

/// A server that answers.
#[derive(Debug)]
pub(super) enum Running {
    /// Started here.
    Own(Child),
    /// Started by another process.
    Other(Option<Pid>),
}

impl Cluster {
    /// Decides on programs, account and folders; makes the folders.
    pub(super) fn plan(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let file = |source| EmbeddedError::File { path: config.data_dir.clone(), source };
        let data_dir = std::path::absolute(&config.data_dir).map_err(file)?;
        let binaries = binaries::find(&config.extra_bin_dirs)?;
        let chosen = Layout::candidates(&data_dir)
            .into_iter()
            .find_map(|layout| Account::choose(&binaries.dir, &layout.root).map(|account| (account, layout)));
        let (account, layout) = chosen.ok_or_else(|| EmbeddedError::Root { path: binaries.dir.clone() })?;
        account.own_folder(&layout.root)?;
        account.own_folder(&layout.socket_dir)?;
        Ok(Self { binaries, account, layout })
    }

    /// Finds the server that runs, or starts one. Only one process at a time does so: a lock sees to that.
    pub(super) fn bring_up(&self) -> Result<Running, EmbeddedError> {
        let _lock = self.lock()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match probe::probe(&self.layout.socket()) {
                Answer::Ready => return Ok(Running::Other(probe::postmaster(&self.layout.root))),
                Answer::Absent => break,
                Answer::NotNow if Instant::now() > deadline => return Err(self.silent()),
                Answer::NotNow => pause(POLL),
            }
        }
        let is_new = !self.data().join("PG_VERSION").exists();
        if is_new {
            self.init()?;
        }
        let child = self.start()?;
        if is_new {
            self.sync();
        }
        Ok(Running::Own(child))
    }

    /// Has a new data folder's thousand files written to the disk, which can take a minute on a busy one, while the
    /// server runs already: a crash of the machine before that costs no more than a server minutes old.
    fn sync(&self) {
        let mut command = self.command(&self.binaries.initdb());
        command.arg("--sync-only").arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        let synced = move || match command.status() {
            Ok(status) if status.success() => {}
            other => tracing::warn!(?other, "the embedded postgres's new data folder was not synced"),
        };
        if let Err(error) = std::thread::Builder::new().name("postgres-sync".into()).spawn(synced) {
            tracing::warn!(%error, "the embedded postgres's new data folder was not synced");
        }
    }

    fn lock(&self) -> Result<File, EmbeddedError> {
        let path = self.layout.lock();
        let failed = |source| EmbeddedError::File { path: path.clone(), source };
        let lock = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => pause(POLL),
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.layout.data(self.binaries.major)
    }

    fn command(&self, program: &Path) -> Command {
        process::command(program, self.account)
    }

    /// Makes the data folder under another name first, so that a half-made one is never taken for whole.
    fn init(&self) -> Result<(), EmbeddedError> {
        let (half, whole) = (self.layout.root.join("data.init"), self.data());
        let failed = |source| EmbeddedError::File { path: half.clone(), source };
        if half.exists() {
            fs::remove_dir_all(&half).map_err(failed)?;
        }
        tracing::info!(folder = %whole.display(), "making the embedded postgres's data folder");
        let mut output = self.initdb(&half, true)?;
        if !output.status.success() {
            // A system without the locale, or a server before its time.
            let _ = fs::remove_dir_all(&half);
            output = self.initdb(&half, false)?;
        }
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            return Err(EmbeddedError::Init { output: tail(&String::from_utf8_lossy(&text)) });
        }
        fs::rename(&half, &whole).map_err(failed)
    }

    fn initdb(&self, folder: &Path, utf8: bool) -> Result<std::process::Output, EmbeddedError> {
        let initdb = self.binaries.initdb();
        let mut command = self.command(&initdb);
        command.arg("-D").arg(folder);
        command.args(["-U", SUPERUSER, "-A", "trust", "--encoding=UTF8", "--lc-messages=C"]);
        command.args(["--no-instructions", "--no-sync"]);
        match utf8 {
            true if self.binaries.major >= BUILTIN_LOCALE_SINCE => {
                command.args(["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
            }
            true => command.arg("--locale=C.UTF-8"),
            false => command.arg("--locale=C"),
        };
        command.output().map_err(|source| EmbeddedError::File { path: initdb, source })
    }

    fn start(&self) -> Result<Child, EmbeddedError> {
        let (deadline, stale) = (Instant::now() + PATIENCE, Instant::now() + STALE_PATIENCE);
        // A server that is shutting down lets go of its lock between our attempt and our look at it.
        let mut locked = self.is_locked();
        let mut child = self.spawn()?;
        loop {
            let failed = |source| EmbeddedError::File { path: self.binaries.postgres(), source };
            if child.try_wait().map_err(failed)?.is_some() {
                locked |= self.is_locked();
                if !locked || Instant::now() > stale {
                    return Err(EmbeddedError::Start { log: self.log_tail() });
                }
                pause(POLL * 20);
                locked = self.is_locked();
                child = self.spawn()?;
            }
            if probe::probe(&self.layout.socket()) == Answer::Ready {
                return Ok(child);
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(self.silent());
            }
            pause(POLL);
        }
    }

    fn is_locked(&self) -> bool {
        self.data().join("postmaster.pid").exists()
    }

    fn spawn(&self) -> Result<Child, EmbeddedError> {
        let path = self.layout.log();
        let log = open_log(&path).map_err(|source| EmbeddedError::File { path, source })?;
        let postgres = self.binaries.postgres();
        let mut command = self.command(&postgres);
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.layout.socket_dir);
        command.args(["-p", "5432", "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]);
        command.args(["-c", &format!("max_connections={MAX_CONNECTIONS}")]);
        command.args(["-c", "logging_collector=off", "-c", "log_destination=stderr"]);
        command.stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(|source| EmbeddedError::File { path: postgres, source })
    }

    fn silent(&self) -> EmbeddedError {
        EmbeddedError::Silent { seconds: PATIENCE.as_secs(), log: self.layout.log() }
    }

    fn log_tail(&self) -> String {
        tail(&String::from_utf8_lossy(&fs::read(self.layout.log()).unwrap_or_default()))
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    let log = OpenOptions::new().create(true).append(true).open(path)?;
    if log.metadata()?.len() > MAX_LOG {
        log.set_len(0)?;
    }
    Ok(log)
}

/// The last lines of a program's output, on one line.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(4)..).unwrap_or_default().join(" | ")
}

/// Waits on a thread that has nothing else to do.
#[allow(clippy::disallowed_methods, reason = "the keeper's own thread, never a runtime worker")]
pub(super) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
