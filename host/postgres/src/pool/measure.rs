//! Measurements: `cargo test -p fasterapi-postgres --lib -- --ignored --nocapture measure`.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use fasterapi_core::DatabaseAlias;
use tokio_util::task::TaskTracker;

use super::Pool;
use crate::{
    PoolLimits,
    embedded::{EmbeddedConfig, EmbeddedServer},
};

const ROUNDS: u32 = 500_000;

fn pool(server: &EmbeddedServer, max_size: usize) -> Pool {
    let limits = PoolLimits { max_size: NonZeroUsize::new(max_size).unwrap(), ..PoolLimits::default() };
    let config = server.database("postgres").with_limits(limits);
    Pool::new(DatabaseAlias::default(), config, Vec::new(), TaskTracker::new())
}

async fn checkouts(pool: &Pool, rounds: u32) -> Duration {
    let begun = Instant::now();
    for _ in 0..rounds {
        drop(pool.lease().await.unwrap());
    }
    begun.elapsed() / rounds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn checkout_and_checkin() {
    let folder = tempfile::Builder::new().prefix("fpg-").tempdir_in("/tmp").unwrap();
    let config = EmbeddedConfig { data_dir: folder.path().to_owned(), extra_bin_dirs: Vec::new() };
    let server = tokio::task::spawn_blocking(move || EmbeddedServer::start(&config).unwrap()).await.unwrap();
    let pool = pool(&server, 8);
    let held = futures::future::join_all((0..8).map(|_| pool.lease())).await;
    drop(held);
    checkouts(&pool, ROUNDS / 10).await;
    println!("alone: {:?}", checkouts(&pool, ROUNDS).await);
    for tasks in [2, 4] {
        let all = (0..tasks).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { checkouts(&pool, ROUNDS).await })
        });
        println!("{tasks} tasks on 2 threads: {:?}", futures::future::join_all(all).await);
    }
    pool.close();
}
