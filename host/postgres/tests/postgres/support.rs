//! The shared server, and databases for single tests.

use std::{
    future::Future,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::{
    Database, DatabaseConfig, Databases, PgError, PoolLimits, PoolStatus, Transaction, TransactionOptions,
    embedded::{Address, EmbeddedConfig, EmbeddedServer},
};

pub use crate::blocks::{Answer, P, Py, ints, pack, text};

/// A folder of a test's own. Short: sockets are in it.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("fpg-").tempdir_in("/tmp").unwrap()
}

/// A server of a test's own. The server stops before its folder goes.
pub struct OwnServer {
    pub server: EmbeddedServer,
    _folder: tempfile::TempDir,
}

pub async fn own_server() -> OwnServer {
    let folder = folder();
    let config = config(folder.path().to_owned());
    let server = tokio::task::spawn_blocking(move || EmbeddedServer::start(&config).unwrap()).await.unwrap();
    OwnServer { server, _folder: folder }
}

pub fn config(data_dir: std::path::PathBuf) -> EmbeddedConfig {
    EmbeddedConfig { data_dir, extra_bin_dirs: Vec::new() }
}

/// The server that the tests of one run share. It stops when the run's process ends; the next run takes its folder
/// away.
pub fn server() -> &'static EmbeddedServer {
    static SERVER: OnceLock<EmbeddedServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let shared = "/tmp/fpg-shared-";
        for folder in std::fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path()) {
            let run = folder.to_str().and_then(|path| path.strip_prefix(shared)?.parse::<u32>().ok());
            if run.is_some_and(|run| !Path::new("/proc").join(run.to_string()).exists()) {
                let _ = std::fs::remove_dir_all(folder);
            }
        }
        let folder = format!("{shared}{}", std::process::id());
        EmbeddedServer::start(&config(folder.into())).unwrap()
    })
}

/// The same, as the one who may do all that tests do.
pub fn superuser() -> Address {
    server().as_superuser()
}

/// A database of a test's own, granted as `default`.
pub struct Db {
    pub databases: Databases,
    pub tenant: TenantId,
    pub alias: DatabaseAlias,
    pub name: String,
}

pub async fn db() -> Db {
    db_with(PoolLimits::default()).await
}

pub async fn db_with(limits: PoolLimits) -> Db {
    db_on(server(), limits).await
}

pub async fn db_on(server: &EmbeddedServer, limits: PoolLimits) -> Db {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await.unwrap();
    db_with_config(&name, server.as_superuser().database(&name).with_limits(limits))
}

/// A database that is there, granted on these terms.
pub fn db_with_config(name: &str, config: DatabaseConfig) -> Db {
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases = Databases::builder().grant(tenant.clone(), alias.clone(), config).build();
    Db { databases, tenant, alias, name: name.to_owned() }
}

/// Limits with one session, so that each statement meets what the last one left.
pub fn one_session() -> PoolLimits {
    PoolLimits { max_size: 1.try_into().unwrap(), ..PoolLimits::default() }
}

impl Db {
    /// Another grant of the same database of the shared server, with sessions of its own.
    pub fn another(&self) -> Self {
        db_with_config(&self.name, superuser().database(&self.name))
    }

    pub fn database(&self) -> Database {
        self.databases.database(&self.tenant, &self.alias).unwrap()
    }

    pub fn status(&self) -> PoolStatus {
        self.databases.status().next().unwrap().2
    }

    pub async fn query(&self, sql: &str, params: &[P]) -> Result<Answer, PgError> {
        let block = self.database().query(sql, &pack(params)).await?;
        Ok(Answer::read(&block))
    }

    /// All values of the answer, row after row, as Python would show them.
    pub async fn values(&self, sql: &str, params: &[P]) -> Vec<String> {
        let answer = self.query(sql, params).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        answer.rows.iter().flatten().map(ToString::to_string).collect()
    }

    pub async fn value(&self, sql: &str, params: &[P]) -> String {
        self.values(sql, params).await.remove(0)
    }

    pub async fn error(&self, sql: &str, params: &[P]) -> PgError {
        self.query(sql, params).await.err().unwrap_or_else(|| panic!("{sql} did not fail"))
    }

    pub async fn begin(&self) -> Transaction {
        self.begin_with(TransactionOptions::default()).await
    }

    pub async fn begin_with(&self, options: TransactionOptions) -> Transaction {
        self.database().begin(options).await.unwrap()
    }
}

pub async fn tx_value(tx: &Transaction, sql: &str) -> String {
    let block = tx.query(sql, &pack(&[])).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    Answer::read(&block).rows[0][0].to_string()
}

/// Waits until `done` answers true, as long as a slow machine may take.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < patience, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
