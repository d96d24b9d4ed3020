//! The reference: an app under uvicorn with httptools and uvloop, on this machine's Python. It is told not to
//! believe `X-Forwarded-For` and `X-Forwarded-Proto`, which it would from clients on this machine; the host never does.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, mpsc},
};

use fasterapi_builder::Cache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::{Guest, http::Client, wait::PATIENCE};

/// Serves until its standard input closes: it cannot outlive the test, however that ends.
const PROGRAM: &str = "
import os, sys, threading, uvicorn
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
uvicorn.run(sys.argv[1], port=0, http='httptools', loop='uvloop', access_log=False)
";

/// uvicorn, running.
#[derive(Debug)]
pub struct Uvicorn {
    addr: SocketAddr,
    output: Arc<Mutex<String>>,
    _child: Child,
    _stdin: ChildStdin,
}

impl Uvicorn {
    /// The conformance app's, the one of this process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Uvicorn> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(Guest { target: "main:app", ..Guest::CONFORMANCE })).await
    }

    /// One for an app. A minute when its Python must be made.
    pub async fn start(guest: Guest) -> Self {
        tokio::task::spawn_blocking(move || start(guest)).await.unwrap()
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.addr)
    }

    /// All that it and the app have printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().clone()
    }
}

/// A Python that has uvicorn, FastAPI and what the conformance guest needs. Blocks: a minute when it must be made.
#[must_use]
pub fn python() -> PathBuf {
    environment(&Guest::CONFORMANCE.dir().join("requirements.txt"))
}

/// That of a guest whose requirements have a server, or the conformance app's.
fn python_of(guest: Guest) -> PathBuf {
    let own = guest.dir().join("requirements.txt");
    let has_server = std::fs::read_to_string(&own).is_ok_and(|text| text.contains("uvicorn=="));
    if has_server { environment(&own) } else { python() }
}

fn start(guest: Guest) -> Uvicorn {
    let mut command = Command::new(python_of(guest));
    command.args(["-u", "-B", "-W", "ignore", "-c", PROGRAM, guest.target]).current_dir(guest.dir());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = Arc::new(Mutex::new(String::new()));
    let (found, address) = mpsc::channel();
    follow(child.stdout.take().unwrap(), Arc::clone(&output), found.clone());
    follow(child.stderr.take().unwrap(), Arc::clone(&output), found);
    let addr = address.recv_timeout(PATIENCE);
    let addr = addr.unwrap_or_else(|_| panic!("uvicorn does not start:\n{}", output.lock()));
    Uvicorn { addr, output, _stdin: child.stdin.take().unwrap(), _child: child }
}

fn follow(
    stream: impl std::io::Read + Send + 'static,
    output: Arc<Mutex<String>>,
    found: mpsc::Sender<SocketAddr>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("running on http://")
                && let Some(addr) = rest.split_whitespace().next().and_then(|addr| addr.parse().ok())
            {
                let _ = found.send(addr);
            }
            output.lock().push_str(&(line + "\n"));
        }
    });
}

/// The Python of an environment with `requirements`, made once for each text of theirs.
fn environment(requirements: &Path) -> PathBuf {
    let wanted = fs::read(requirements).unwrap();
    let base = std::env::var_os("FASTERAPI_PYTHON").unwrap_or_else(|| "python3".into());
    let version = Command::new(&base).arg("--version").output().expect("python3 runs").stdout;
    let mut key = hex::encode(Sha256::digest([wanted, version].concat()));
    key.truncate(16);
    let top = Cache::open().unwrap().root().join("uvicorn");
    fs::create_dir_all(&top).unwrap();
    let lock = File::create(top.join(format!("{key}.lock"))).unwrap();
    lock.lock().unwrap();
    let (folder, done) = (top.join(&key), top.join(format!("{key}.done")));
    let python = folder.join("bin/python");
    if !done.exists() {
        run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(&python).args(pip).arg(requirements));
        fs::write(done, "").unwrap();
    }
    python
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
