//! The shared server, databases for single tests, and blocks written and read.

use std::{
    fmt,
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
    Databases, PgError, PoolLimits, Transaction, TransactionOptions,
    embedded::{EmbeddedConfig, EmbeddedServer},
};

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
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let config = server.database(&name).with_limits(limits);
    let databases = Databases::builder().grant(tenant.clone(), alias.clone(), config).build();
    Db { databases, tenant, alias, name }
}

/// Limits with one session, so that each statement meets what the last one left.
pub fn one_session() -> PoolLimits {
    PoolLimits { max_size: 1.try_into().unwrap(), ..PoolLimits::default() }
}

impl Db {
    pub async fn query(&self, sql: &str, params: &[P]) -> Result<Answer, PgError> {
        let block = self.databases.query(&self.tenant, &self.alias, sql, &pack(params)).await?;
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
        self.databases.begin(&self.tenant, &self.alias, options).await.unwrap()
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

/// A parameter.
#[derive(Clone, Debug)]
pub enum P {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<P>),
}

pub fn text(text: &str) -> P {
    P::Text(text.into())
}

pub fn ints(values: &[i128]) -> P {
    P::List(values.iter().map(|value| P::Int(*value)).collect())
}

/// `marshal.dumps(params, 2)`.
pub fn pack(params: &[P]) -> Vec<u8> {
    let mut out = Vec::new();
    items(b'(', params, &mut out);
    out
}

fn items(code: u8, items: &[P], out: &mut Vec<u8>) {
    sized(code, items.len(), out);
    items.iter().for_each(|item| pack_one(item, out));
}

fn sized(code: u8, length: usize, out: &mut Vec<u8>) {
    out.push(code);
    out.extend((length as u32).to_le_bytes());
}

fn pack_one(value: &P, out: &mut Vec<u8>) {
    match value {
        P::None => out.push(b'N'),
        P::Bool(value) => out.push(if *value { b'T' } else { b'F' }),
        P::Int(value) => match i32::try_from(*value) {
            Ok(value) => {
                out.push(b'i');
                out.extend(value.to_le_bytes());
            }
            Err(_) => {
                let mut rest = value.unsigned_abs();
                let mut digits = Vec::new();
                while rest > 0 {
                    digits.push((rest & 0x7fff) as u16);
                    rest >>= 15;
                }
                let count = digits.len() as i32;
                out.push(b'l');
                out.extend((if *value < 0 { -count } else { count }).to_le_bytes());
                out.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
            }
        },
        P::Float(value) => {
            out.push(b'g');
            out.extend(value.to_le_bytes());
        }
        P::Text(text) => {
            sized(b'u', text.len(), out);
            out.extend(text.as_bytes());
        }
        P::Bytes(bytes) => {
            sized(b's', bytes.len(), out);
            out.extend(bytes);
        }
        P::List(list) => items(b'[', list, out),
    }
}

/// A value of a result block. Shown as Python's `repr` for the values of these tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Py {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Py>),
    List(Vec<Py>),
}

impl fmt::Display for Py {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |items: &[Py]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) if value.is_nan() => f.write_str("nan"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Str(text) => write!(f, "'{text}'"),
            Self::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Self::Tuple(items) => write!(f, "({})", join(items)),
            Self::List(items) => write!(f, "[{}]", join(items)),
        }
    }
}

/// A result block, read.
#[derive(Debug)]
pub struct Answer {
    pub affected: i128,
    /// Name, type's oid, kind.
    pub columns: Vec<(String, u32, String)>,
    pub rows: Vec<Vec<Py>>,
}

impl Answer {
    pub fn read(block: &[u8]) -> Self {
        let mut rest = block;
        let Py::Tuple(parts) = unpack(&mut rest) else { panic!("no tuple") };
        assert!(rest.is_empty(), "{} bytes too many", rest.len());
        let [Py::Int(affected), Py::Tuple(columns), Py::List(rows)] = &parts[..] else { panic!("{parts:?}") };
        let column = |column: &Py| match column {
            Py::Tuple(parts) => match &parts[..] {
                [Py::Str(name), Py::Int(oid), Py::Str(kind)] => (name.clone(), *oid as u32, kind.clone()),
                _ => panic!("{parts:?}"),
            },
            _ => panic!("{column:?}"),
        };
        let row = |row: &Py| match row {
            Py::Tuple(values) => values.clone(),
            _ => panic!("{row:?}"),
        };
        Self {
            affected: *affected,
            columns: columns.iter().map(column).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }

    pub fn kind(&self) -> &str {
        &self.columns[0].2
    }
}

fn unpack(rest: &mut &[u8]) -> Py {
    let code = take(rest, 1)[0];
    match code {
        b'N' => Py::None,
        b'T' => Py::Bool(true),
        b'F' => Py::Bool(false),
        b'i' => Py::Int(u32_at(rest) as i32 as i128),
        b'l' => {
            let count = u32_at(rest) as i32;
            let digits = take(rest, count.unsigned_abs() as usize * 2);
            let digits =
                digits.chunks(2).rev().map(|pair| i128::from(u16::from_le_bytes([pair[0], pair[1]])));
            Py::Int(digits.fold(0, |sum, digit| (sum << 15) | digit) * i128::from(count.signum()))
        }
        b'g' => Py::Float(f64::from_le_bytes(take(rest, 8).try_into().unwrap())),
        b'z' => {
            let length = take(rest, 1)[0].into();
            let text = take(rest, length);
            assert!(text.is_ascii());
            Py::Str(String::from_utf8(text.to_vec()).unwrap())
        }
        b'u' => {
            let length = u32_at(rest) as usize;
            Py::Str(String::from_utf8(take(rest, length).to_vec()).unwrap())
        }
        b's' => {
            let length = u32_at(rest) as usize;
            Py::Bytes(take(rest, length).to_vec())
        }
        b')' => {
            let count = take(rest, 1)[0];
            Py::Tuple((0..count).map(|_| unpack(rest)).collect())
        }
        b'(' => {
            let count = u32_at(rest);
            Py::Tuple((0..count).map(|_| unpack(rest)).collect())
        }
        b'[' => {
            let count = u32_at(rest);
            Py::List((0..count).map(|_| unpack(rest)).collect())
        }
        code => panic!("code {code}"),
    }
}

fn u32_at(rest: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(rest, 4).try_into().unwrap())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(count);
    *rest = tail;
    head
}
