//! A round trip to Postgres through the host's pool, as a guest's call makes it.

use anyhow::{Result, ensure};
use fasterapi_benches::apps;
use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::Databases;
use fasterapi_postgres::embedded::{EmbeddedConfig, EmbeddedServer};

use crate::suite::Suite;

const NAME: &str = "Postgres round trip, one row by its key";
const DATABASE: &str = "bench";
const SELECT: &str = "SELECT id, name, price FROM bench_items WHERE id = $1";
const SCHEMA: [&str; 3] = [
    "DROP TABLE IF EXISTS bench_items",
    "CREATE TABLE bench_items (id int PRIMARY KEY, name text NOT NULL, price float8 NOT NULL)",
    "INSERT INTO bench_items SELECT n, 'item ' || n, n + 0.5 FROM generate_series(1, 1000) n",
];

pub fn run(suite: &mut Suite) -> Result<()> {
    if !suite.wants(NAME) {
        return Ok(());
    }
    let config =
        EmbeddedConfig { data_dir: apps::cache_folder()?.join("postgres"), extra_bin_dirs: Vec::new() };
    let server = EmbeddedServer::start(&config)?;
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let (databases, database) = suite.runtime.block_on(async {
        server.create_database(DATABASE).await?;
        let databases =
            Databases::builder().grant(tenant.clone(), alias.clone(), server.database(DATABASE)).build();
        let database = databases.database(&tenant, &alias)?;
        for sql in SCHEMA {
            database.query(sql, &tuple(&[])).await?;
        }
        let row = database.query(SELECT, &tuple(&[42])).await?;
        ensure!(row.windows(7).any(|text| text == b"item 42"), "not the row asked for");
        anyhow::Ok((databases, database))
    })?;
    let parameters = tuple(&[42]);
    suite.time(NAME, |bencher, runtime| {
        bencher.iter(|| runtime.block_on(database.query(SELECT, &parameters)).is_ok());
    });
    suite.runtime.block_on(databases.close());
    server.stop();
    Ok(())
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
