//! A server that speaks TLS: Debian's (`apt-get install postgresql`), since the one that the other tests use was built
//! without. It listens on 127.0.0.1 and asks for passwords and certificates; its superuser is trusted on the socket.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
};

use fasterapi_core::{DatabaseAlias, Secret, TenantId};
use fasterapi_postgres::{DatabaseConfig, Databases, PoolLimits};

use super::certificates::{Authority, Signed};
use crate::support::Db;

/// What a run of the tests shares.
pub struct Secure {
    pub folder: PathBuf,
    pub authority: Authority,
    pub stranger: Authority,
    pub server: Signed,
    pub port: u16,
}

const HBA: &str = "\
local   all all                trust
local   replication all        trust
hostssl all certified  127.0.0.1/32 scram-sha-256 clientcert=verify-full
hostssl all secured    127.0.0.1/32 scram-sha-256
hostnossl all plain    127.0.0.1/32 scram-sha-256
host    all old        127.0.0.1/32 md5
host    all clear      127.0.0.1/32 password
host    all trusted    127.0.0.1/32 trust
host    all rotated    127.0.0.1/32 scram-sha-256
host    all either       127.0.0.1/32 scram-sha-256
";

const ROLES: &str = "\
CREATE ROLE certified LOGIN PASSWORD 'pw';
CREATE ROLE secured LOGIN PASSWORD 'pw';
CREATE ROLE plain LOGIN PASSWORD 'pw';
CREATE ROLE clear LOGIN PASSWORD 'pw';
CREATE ROLE trusted LOGIN;
CREATE ROLE rotated LOGIN PASSWORD 'first';
CREATE ROLE either LOGIN PASSWORD 'pw';
SET password_encryption = 'md5';
CREATE ROLE old LOGIN PASSWORD 'pw';
";

/// The server that the tests of one run share. It stops when the run's process ends; the next run takes its folder
/// away.
pub fn secure() -> &'static Secure {
    static SECURE: OnceLock<Option<Secure>> = OnceLock::new();
    let start = || {
        let prefix = "/tmp/fpg-secure-";
        for folder in fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path()) {
            let run = folder.to_str().and_then(|path| path.strip_prefix(prefix)?.parse::<u32>().ok());
            if run.is_some_and(|run| !Path::new("/proc").join(run.to_string()).exists()) {
                let _ = fs::remove_dir_all(folder);
            }
        }
        Secure::start(&PathBuf::from(format!("{prefix}{}", std::process::id())))
    };
    // One that does not start is tried once, and said once.
    let secure = SECURE.get_or_init(|| std::panic::catch_unwind(start).ok());
    secure.as_ref().unwrap_or_else(|| panic!("there is no server: see the first failure"))
}

impl Secure {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let authority = Authority::new(folder, "authority");
        let server = authority.server("server", &["localhost", "127.0.0.1", "db.example"], |_| ());
        let port = start(folder, "primary", |data| {
            init(data, &server.certificate, &server.key, &authority.certificate);
            fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        });
        let secure = Self {
            stranger: Authority::new(folder, "stranger"),
            folder: folder.to_owned(),
            authority,
            server,
            port,
        };
        secure.sql(ROLES);
        secure
    }

    /// The folder of the server's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("primary.sock")
    }

    /// Runs statements as the superuser.
    pub fn sql(&self, sql: &str) -> String {
        let socket = self.socket();
        let mut psql = as_account(&bin().join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"]).arg(socket);
        let output = psql.args(["-p", &self.port.to_string(), "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a standby of the server; answers its port.
    pub fn standby(&self) -> u16 {
        static PORT: Mutex<Option<u16>> = Mutex::new(None);
        *PORT.lock().unwrap().get_or_insert_with(|| {
            start(&self.folder, "standby", |data| {
                let (socket, port) = (self.socket(), self.port.to_string());
                tool("pg_basebackup", data)
                    .args([
                        "-U",
                        "postgres",
                        "-p",
                        &port,
                        "--checkpoint=fast",
                        "--write-recovery-conf",
                        "--no-sync",
                    ])
                    .arg("-h")
                    .arg(socket)
                    .run();
            })
        })
    }

    /// Starts a server with a certificate of its own, which trusts everybody; answers its port.
    pub fn other(&self, name: &str, certificate: &Path, key: &Path) -> u16 {
        start(&self.folder, name, |data| {
            init(data, certificate, key, &self.authority.certificate);
            fs::write(data.join("pg_hba.conf"), "local all all trust\nhost all all 127.0.0.1/32 trust\n")
                .unwrap();
        })
    }

    /// A file of the test's own.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A URL of the server: its host, the user, more options. `{ca}` in these is the authority's certificate.
    pub fn url(&self, host: &str, user: &str, options: &str) -> String {
        let ca = self.authority.certificate.display().to_string();
        let options =
            options.replace("{ca}", &ca).replace("{other}", &self.stranger.certificate.display().to_string());
        format!("postgres://{user}@{host}:{}/postgres?{options}", self.port)
    }
}

/// What a URL opens, with nothing from the environment.
pub fn open(url: &str) -> Db {
    open_with(url, PoolLimits::default())
}

pub fn open_with(url: &str, limits: PoolLimits) -> Db {
    let config = DatabaseConfig::from_url_in(&Secret::new(url.to_owned()), &|_| None);
    let config = config.unwrap_or_else(|error| panic!("{url}: {error}"));
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases =
        Databases::builder().grant(tenant.clone(), alias.clone(), config.with_limits(limits)).build();
    Db { databases, tenant, alias, name: "postgres".into() }
}

/// What the operator is told when there is no session.
pub async fn refusal(url: &str) -> String {
    let db = open(url);
    match db.databases.check(&db.tenant, &db.alias).await {
        Ok(()) => panic!("{url}: let in"),
        Err(error) => {
            assert!(!error.message.contains("pw"), "{}", error.message);
            error.message
        }
    }
}

/// Whether the session is encrypted, and as whom the server knows the client.
pub async fn encrypted(url: &str) -> (bool, String) {
    let sql = "SELECT ssl::text, coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let found = open(url).values(sql, &[]).await;
    (found[0] == "'true'", found[1].clone())
}

fn init(data: &Path, certificate: &Path, key: &Path, clients: &Path) {
    let tool = tool("initdb", data).args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
    tool.arg("--locale=C").run();
    for (from, name) in [(certificate, "server.crt"), (key, "server.key"), (clients, "root.crt")] {
        fs::copy(from, data.join(name)).unwrap();
        give(&data.join(name), 0o600);
    }
}

/// Makes a data folder with `make`, starts a server in it, waits until it answers; its port.
fn start(folder: &Path, name: &str, make: impl FnOnce(&Path)) -> u16 {
    let (data, socket) = (folder.join(name), folder.join(format!("{name}.sock")));
    for folder in [&data, &socket] {
        fs::create_dir(folder).unwrap();
        give(folder, 0o700);
    }
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o755)).unwrap();
    make(&data);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n\
         ssl = on\nssl_ca_file = 'root.crt'\npassword_encryption = 'scram-sha-256'\nmax_connections = 60\n",
        socket.display()
    );
    fs::write(data.join("postgresql.conf"), settings).unwrap();
    let log = folder.join(format!("{name}.log"));
    let mut postgres = as_account(Path::new("setpriv"));
    // The server goes when the thread goes that made it: one that waits for it until the process ends.
    postgres.args(["--pdeathsig", "INT", "--"]).arg(bin().join("postgres")).arg("-D").arg(&data);
    postgres.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    std::thread::spawn(move || postgres.spawn().unwrap().wait());
    let mut ready = as_account(&bin().join("pg_isready"));
    ready.args(["-q", "-t", "1", "-p", &port.to_string(), "-h"]).arg(&socket);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !ready.status().unwrap().success() {
        let log = fs::read_to_string(&log).unwrap();
        assert!(std::time::Instant::now() < patience && !log.contains("FATAL:  could not"), "{log}");
        pause();
    }
    port
}

#[allow(clippy::disallowed_methods, reason = "while the server starts nothing else can run")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// Debian's programs, the newest.
fn bin() -> PathBuf {
    let all = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.unwrap_or_else(|| panic!("no server that speaks TLS: apt-get install postgresql"));
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

struct Tool(Command);

fn tool(name: &str, data: &Path) -> Tool {
    let mut command = as_account(&bin().join(name));
    command.arg("-D").arg(data);
    Tool(command)
}

impl Tool {
    fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.0.args(args);
        self
    }

    fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    fn run(mut self) {
        let output = self.0.output().unwrap();
        assert!(output.status.success(), "{:?}: {}", self.0, String::from_utf8_lossy(&output.stderr));
    }
}

/// The account of the server, which refuses to be root's: that of the Debian package.
fn account() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let line = accounts.lines().find(|line| line.starts_with("postgres:")).unwrap();
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

fn as_account(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn give(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if let Some((uid, gid)) = account() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}
