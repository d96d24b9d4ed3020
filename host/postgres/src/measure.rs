//! Measurements: `cargo test --release -p fasterapi-postgres --lib -- --ignored --nocapture measure`.

use std::{sync::Arc, time::Instant};

use fasterapi_core::{DatabaseAlias, TenantId};

use crate::{
    Database, Databases, TransactionOptions,
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
