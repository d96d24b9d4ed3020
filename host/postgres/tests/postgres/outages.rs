//! Servers that end and come back, while they are used; and the pool's way back to full strength.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fasterapi_postgres::{
    Event, PgError, PgErrorKind, PoolLimits, PoolStatus, TransactionOptions, embedded::EmbeddedServer,
};
use futures::future::join_all;
use rustix::process::Signal;

use crate::{
    faults::{kill, postmaster},
    support::{Db, P, config, db_on, eventually, folder, one_session, own_server, pack, server, text},
};

/// A pool that keeps so many sessions open, and calls that wait for as long as a slow machine needs to restart.
pub fn sessions(n: usize) -> PoolLimits {
    PoolLimits {
        min_size: n,
        max_size: n.try_into().unwrap(),
        checkout_timeout: Duration::from_secs(60),
        ..PoolLimits::default()
    }
}

pub async fn full_strength(db: &Db) {
    let is_full = || async {
        let PoolStatus { idle, max_size, failing, .. } = db.status();
        idle == max_size && !failing
    };
    eventually("the pool is at full strength", is_full).await;
}

/// Ends the server so, and waits until its supervisor has started another.
async fn restart(server: &EmbeddedServer, signal: Signal) {
    let old = postmaster(server.socket_dir()).unwrap();
    kill(old, signal);
    let is_new = || async { postmaster(server.socket_dir()).is_some_and(|new| new != old) };
    eventually("a new server starts", is_new).await;
}

const INSERT: &str = "INSERT INTO t VALUES ($1)";

/// What one writer was told of each of its rows.
#[derive(Default)]
struct Told {
    done: HashSet<u64>,
    /// The server may have done it.
    unknown: HashSet<u64>,
    /// It was not asked to commit.
    not_done: HashSet<u64>,
}

/// Writes a row, by one of three ways.
async fn write(db: &Db, way: usize, id: u64, told: &mut Told) {
    let row = pack(&[P::Int(id.into())]);
    let (result, uncertain) = match way % 3 {
        0 => (db.database().query(INSERT, &row).await.map(drop), true),
        1 => {
            let item = P::List(vec![text(INSERT), P::List(vec![P::Int(id.into())])]);
            (db.database().batch(&pack(&[item])).await.map(drop), true)
        }
        _ => in_transaction(db, &row).await,
    };
    let set = match result {
        Ok(()) => &mut told.done,
        Err(error) => {
            assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}");
            if uncertain { &mut told.unknown } else { &mut told.not_done }
        }
    };
    set.insert(id);
}

/// And whether a failure leaves it open what was done.
async fn in_transaction(db: &Db, row: &[u8]) -> (Result<(), PgError>, bool) {
    let written = async {
        let tx = db.database().begin(TransactionOptions::default()).await?;
        tx.query(INSERT, row).await?;
        Ok(tx)
    };
    match written.await {
        Ok(tx) => (tx.commit().await, true),
        Err(error) => (Err(error), false),
    }
}

/// Nothing that was acknowledged is lost; nothing that was not is reported done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restarts_under_load() {
    let own = own_server().await;
    let db = Arc::new(db_on(&own.server, sessions(4)).await);
    db.query("CREATE TABLE t (id bigint PRIMARY KEY)", &[]).await.unwrap();
    full_strength(&db).await;
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers = (0..12).map(|way| {
        let (db, next, done) = (Arc::clone(&db), Arc::clone(&next), Arc::clone(&done));
        tokio::spawn(async move {
            let mut told = Told::default();
            while !done.load(Ordering::Relaxed) {
                write(&db, way, next.fetch_add(1, Ordering::Relaxed), &mut told).await;
            }
            told
        })
    });
    let writers: Vec<_> = writers.collect();
    let written = async |more: u64| {
        let before = next.load(Ordering::Relaxed);
        eventually("they write", || async { next.load(Ordering::Relaxed) > before + more }).await;
    };
    for signal in [Signal::INT, Signal::QUIT] {
        written(300).await;
        restart(&own.server, signal).await;
    }
    written(300).await;
    done.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    for one in join_all(writers).await.into_iter().map(Result::unwrap) {
        told.done.extend(one.done);
        told.unknown.extend(one.unknown);
        told.not_done.extend(one.not_done);
    }
    full_strength(&db).await;
    let stored = db.values("SELECT id FROM t", &[]).await;
    let stored: HashSet<u64> = stored.iter().map(|id| id.parse().unwrap()).collect();
    assert!(told.done.is_subset(&stored), "lost: {:?}", told.done.difference(&stored));
    assert!(stored.is_disjoint(&told.not_done), "{:?}", stored.intersection(&told.not_done));
    assert!(stored.iter().all(|id| told.done.contains(id) || told.unknown.contains(id)));
    assert!(told.unknown.len() + told.not_done.len() > 0, "nothing was under way");
}

#[tokio::test]
async fn a_call_outlasts_a_restart() {
    let own = own_server().await;
    let db = db_on(&own.server, sessions(2)).await;
    full_strength(&db).await;
    for signal in [Signal::INT, Signal::QUIT] {
        let (old, before) = (postmaster(own.server.socket_dir()).unwrap(), db.status().totals);
        kill(old, signal);
        let noticed = || async {
            let PoolStatus { idle, failing, totals, .. } = db.status();
            idle == 0 || failing || totals.opened > before.opened
        };
        eventually("its sessions have ended", noticed).await;
        // Down, starting, or up: the call waits for it.
        assert_eq!(db.value("SELECT 1", &[]).await, "1");
        full_strength(&db).await;
    }
}

/// Another server, with other files, takes the place of the first: what was known of the first's types and statements, by
/// the same names and with the same numbers, is known no more.
#[tokio::test]
async fn a_server_is_replaced_at_its_address() {
    let folder = folder();
    let path = folder.path().to_owned();
    let start = async || {
        let config = config(path.clone());
        tokio::task::spawn_blocking(move || EmbeddedServer::start(&config).unwrap()).await.unwrap()
    };
    let old = start().await;
    let db = db_on(&old, sessions(2)).await;
    for sql in [
        "CREATE TYPE made AS (a int, b text)",
        "CREATE TABLE t (v made, n int)",
        "INSERT INTO t VALUES ((1, 'x'), 1)",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let all = "SELECT v, n FROM t";
    assert_eq!(db.values(all, &[]).await, ["(1, 'x')", "1"]);
    let mut listener = db.database().listen(&["c".to_owned()]).await.unwrap();
    let files = std::fs::read_dir(old.socket_dir()).unwrap().flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.is_dir()).collect::<Vec<_>>();
    drop(old);
    for data in files {
        std::fs::rename(&data, data.with_extension("old")).unwrap();
    }
    let new = start().await;
    new.create_database(&db.name).await.unwrap();
    // Until then the new server had no such database, and told so.
    eventually("it is let in", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
    for sql in [
        // Takes a number, so that the type after it gets that of the old one.
        "SELECT lo_create(0)",
        "CREATE TYPE made AS ENUM ('one', 'two')",
        "CREATE TABLE t (v made, n numeric)",
        "INSERT INTO t VALUES ('two', 1.50)",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    assert_eq!(db.values(all, &[]).await, ["'two'", "'1.50'"]);
    full_strength(&db).await;
    assert_eq!(listener.next().await, Some(Event::Gap));
    db.query("NOTIFY c, 'anew'", &[]).await.unwrap();
    assert!(
        matches!(listener.next().await, Some(Event::Notification { payload, .. }) if &*payload == "anew")
    );
}

#[tokio::test]
async fn killed_sessions_are_replaced_under_load() {
    let db = Arc::new(db_on(server(), sessions(4)).await);
    let killer = db_on(server(), one_session()).await;
    let done = Arc::new(AtomicBool::new(false));
    let calls = (0..8).map(|n| {
        let (db, done) = (Arc::clone(&db), Arc::clone(&done));
        tokio::spawn(async move {
            let mut ended = 0;
            while !done.load(Ordering::Relaxed) {
                match db.query("SELECT $1::int8 FROM pg_sleep(0.002)", &[P::Int(n)]).await {
                    Ok(answer) => {
                        assert_eq!(answer.rows[0][0].to_string(), n.to_string());
                        ended += 1;
                    }
                    Err(error) => assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}"),
                }
            }
            ended
        })
    });
    let calls: Vec<_> = calls.collect();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    for _ in 0..5 {
        let opened = db.status().totals.opened;
        killer.value(sql, &[text(&db.name)]).await;
        eventually("others are opened", || async { db.status().totals.opened > opened }).await;
    }
    done.store(true, Ordering::Relaxed);
    let ended: Vec<u32> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert!(ended.iter().sum::<u32>() > 0);
    full_strength(&db).await;
}
