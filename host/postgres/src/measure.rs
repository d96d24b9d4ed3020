//! Measurements: `cargo test -p fasterapi-postgres --lib -- --ignored --nocapture measure`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fasterapi_core::{DatabaseAlias, TenantId};

use crate::{
    Database, Databases, PoolLimits, TransactionOptions,
    call::CallLimits,
    embedded::{EmbeddedConfig, EmbeddedServer},
    pool::Lease,
};

const ROUNDS: u32 = 20_000;
const NONE: &[u8] = b")\0";

/// As it was done before all of it went in one round trip.
async fn in_three_trips(database: &Database, limits: &CallLimits, sql: &str) {
    let opening = &database.opening(TransactionOptions::default());
    let params = &limits.read(sql, NONE).unwrap();
    let work = |mut lease: Lease| async move {
        let done = async {
            lease.command(opening).await?;
            let block = lease.query(sql, params).await?;
            lease.command("COMMIT").await?;
            Ok(block)
        };
        (done.await, lease)
    };
    database.on_lease(None, work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn statements_under_variables() {
    let folder = tempfile::Builder::new().prefix("fpg-").tempdir_in("/tmp").unwrap();
    let config = EmbeddedConfig { data_dir: folder.path().to_owned(), extra_bin_dirs: Vec::new() };
    let server = tokio::task::spawn_blocking(move || EmbeddedServer::start(&config).unwrap()).await.unwrap();
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let grant = |config| {
        let databases = Databases::builder().grant(tenant.clone(), alias.clone(), config).build();
        let database = databases.database(&tenant, &alias).unwrap();
        (databases, database)
    };
    let (_kept, plain) = grant(server.database("postgres"));
    let (_kept_too, reader) = grant(server.database("postgres").with_read_only(true));
    let under = plain.clone().with_variables(Arc::new([("app.tenant_id".into(), "one".into())]));
    plain.query("CREATE UNLOGGED TABLE t (i int)", NONE).await.unwrap();
    for sql in ["SELECT 1", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1) RETURNING i"] {
        let reads = sql == "SELECT 1";
        for round in 0..2 {
            let begun = Instant::now();
            for _ in 0..ROUNDS {
                plain.query(sql, NONE).await.unwrap();
            }
            let alone = begun.elapsed() / ROUNDS;
            let begun = Instant::now();
            for _ in 0..ROUNDS {
                in_three_trips(&under, under.limits(), sql).await;
            }
            let three = begun.elapsed() / ROUNDS;
            let begun = Instant::now();
            for _ in 0..ROUNDS {
                under.query(sql, NONE).await.unwrap();
            }
            let within = begun.elapsed() / ROUNDS;
            let begun = Instant::now();
            for _ in 0..if reads { ROUNDS } else { 0 } {
                reader.query(sql, NONE).await.unwrap();
            }
            let read = begun.elapsed() / ROUNDS;
            println!(
                "{round} {sql}: alone {alone:?}, variables in three trips {three:?}, ahead {within:?}; read-only {read:?}"
            );
        }
    }
}

/// How many statements a second a pool of few sessions runs for many callers; and how long each takes.
async fn throughput(server: &EmbeddedServer, sessions: usize, callers: usize, riders: usize) -> String {
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let limits = PoolLimits {
        max_size: sessions.try_into().unwrap(),
        max_riders: riders,
        checkout_timeout: Duration::from_secs(60),
        ..PoolLimits::default()
    };
    let config = server.database("postgres").with_limits(limits);
    let databases = Databases::builder().grant(tenant.clone(), alias.clone(), config).build();
    let database = databases.database(&tenant, &alias).unwrap();
    let begun = Instant::now();
    let (warm, end) = (begun + Duration::from_secs(1), begun + Duration::from_secs(4));
    let calls = (0..callers).map(|caller| {
        let database = database.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for number in caller.. {
                let params = [b")\x01i".as_slice(), &(number as i32 % 1000).to_le_bytes()].concat();
                let sql = MIX[number % MIX.len()];
                let asked = Instant::now();
                database.query(sql, &params).await.unwrap();
                let now = Instant::now();
                if now > end {
                    break;
                }
                if asked > warm {
                    times.push((now - asked).as_micros());
                }
            }
            times
        })
    });
    let all = futures::future::join_all(calls.collect::<Vec<_>>()).await;
    let mut times: Vec<u128> = all.into_iter().flat_map(Result::unwrap).collect();
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100];
    let ridden = databases.status().next().unwrap().2.totals.ridden;
    databases.close().await;
    format!("{} a second, p50 {} us, p99 {} us, {ridden} rode", times.len() / 3, at(50), at(99))
}

const MIX: [&str; 3] = [
    "SELECT id, name FROM items WHERE id = $1",
    "SELECT count(*) FROM items WHERE id < 50 AND id <> $1",
    "SELECT name FROM items WHERE id > $1 ORDER BY id LIMIT 5",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn shared_sessions() {
    let folder = tempfile::Builder::new().prefix("fpg-").tempdir_in("/tmp").unwrap();
    let config = EmbeddedConfig { data_dir: folder.path().to_owned(), extra_bin_dirs: Vec::new() };
    let server = tokio::task::spawn_blocking(move || EmbeddedServer::start(&config).unwrap()).await.unwrap();
    let databases = Databases::builder()
        .grant(TenantId::default(), DatabaseAlias::default(), server.database("postgres"))
        .build();
    let database = databases.database(&TenantId::default(), &DatabaseAlias::default()).unwrap();
    for sql in [
        "CREATE TABLE items (id int PRIMARY KEY, name text)",
        "INSERT INTO items SELECT n, 'item ' || n FROM generate_series(0, 999) n",
        "ANALYZE items",
    ] {
        database.query(sql, NONE).await.unwrap();
    }
    for (sessions, callers) in [(2, 64), (2, 8), (2, 3), (2, 2), (10, 64), (1, 16)] {
        for round in 0..2 {
            for riders in [0, 32] {
                let found = throughput(&server, sessions, callers, riders).await;
                println!("{round} {sessions} sessions, {callers} callers, riders {riders}: {found}");
            }
        }
    }
}
