//! A round trip to Postgres through the host's pool, as a guest's call makes it, and the part of it that is the pool's.

use std::time::Instant;

use anyhow::{Result, ensure};
use fasterapi_benches::apps;
use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::embedded::{EmbeddedConfig, EmbeddedServer};
use fasterapi_postgres::{Database, Databases};

use crate::suite::Suite;

const CHECKOUT: &str = "Postgres session taken from the pool and given back, uncontended";
const ONE: &str = "Postgres round trip, one row by its key";
const ROWS: &str = "Postgres round trip, 1,000 rows of 5 columns packed";
const DATABASE: &str = "bench";
const SELECT_ONE: &str = "SELECT id, name, price FROM bench_items WHERE id = $1";
const SELECT_ROWS: &str = "SELECT id, name, price::numeric(12, 2), timestamptz '2026-01-01Z' + id * interval '61 s', id % 3 = 0 \
                           FROM bench_items ORDER BY id";
const SCHEMA: [&str; 3] = [
    "DROP TABLE IF EXISTS bench_items",
    "CREATE TABLE bench_items (id int PRIMARY KEY, name text NOT NULL, price float8 NOT NULL)",
    "INSERT INTO bench_items SELECT n, 'item ' || n, n + 0.5 FROM generate_series(1, 1000) n",
];

pub fn run(suite: &mut Suite) -> Result<()> {
    if ![CHECKOUT, ONE, ROWS].iter().any(|name| suite.wants(name)) {
        return Ok(());
    }
    let config =
        EmbeddedConfig { data_dir: apps::cache_folder()?.join("postgres"), extra_bin_dirs: Vec::new() };
    let server = EmbeddedServer::start(&config)?;
    let (databases, database) = suite.runtime.block_on(open(&server))?;
    suite.runtime.block_on(database.checkout())?;
    suite.time(CHECKOUT, |bencher, runtime| {
        // All of a sample in one run of the runtime, whose start takes as long.
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let begun = Instant::now();
                let mut taken = true;
                for _ in 0..rounds {
                    taken &= database.checkout().await.is_ok();
                }
                assert!(taken, "there was no session");
                begun.elapsed()
            })
        });
    });
    for (name, sql, parameters, expected) in
        [(ONE, SELECT_ONE, tuple(&[42]), "item 42"), (ROWS, SELECT_ROWS, tuple(&[]), "item 999")]
    {
        let block = suite.runtime.block_on(database.query(sql, &parameters))?;
        let found = block.windows(expected.len()).any(|text| text == expected.as_bytes());
        ensure!(found, "{name}: not the rows asked for");
        suite.time(name, |bencher, runtime| {
            bencher.iter(|| runtime.block_on(database.query(sql, &parameters)).is_ok());
        });
    }
    suite.runtime.block_on(databases.close());
    server.stop();
    Ok(())
}

async fn open(server: &EmbeddedServer) -> Result<(Databases, Database)> {
    server.create_database(DATABASE).await?;
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases =
        Databases::builder().grant(tenant.clone(), alias.clone(), server.database(DATABASE)).build();
    let database = databases.database(&tenant, &alias)?;
    for sql in SCHEMA {
        database.query(sql, &tuple(&[])).await?;
    }
    Ok((databases, database))
}

/// A tuple of ints in Python's marshal format, version 2: what a guest sends.
fn tuple(values: &[i32]) -> Vec<u8> {
    let mut block = vec![b'('];
    block.extend(u32::try_from(values.len()).unwrap_or_default().to_le_bytes());
    for value in values {
        block.push(b'i');
        block.extend(value.to_le_bytes());
    }
    block
}
