//! Servers and connections that die, and the pool's way back.

use std::{path::Path, time::Duration};

use fasterapi_postgres::{PgErrorKind, PoolLimits};

use crate::support::{Db, P, db_on, db_with, eventually, one_session, own_server, pack, server, text};

async fn kill_sessions_of(db: &Db) {
    let other = db_on(server(), one_session()).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    other.value(sql, &[text(&db.name)]).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    eventually("they are gone", || async { other.value(sql, &[text(&db.name)]).await == "0" }).await;
}

#[tokio::test]
async fn sessions_that_died_idle_are_replaced_unseen() {
    let db = db_with(PoolLimits::default()).await;
    let all = futures::future::join_all((0..5).map(|_| db.value("SELECT pg_sleep(0.05)", &[]))).await;
    assert_eq!(all.len(), 5);
    kill_sessions_of(&db).await;
    for n in 0..10 {
        assert_eq!(db.value("SELECT $1::int8", &[P::Int(n)]).await, n.to_string());
    }
    kill_sessions_of(&db).await;
    db.begin().await.commit().await.unwrap();
}

#[tokio::test]
async fn a_session_that_dies_in_its_statement_is_a_connection_error() {
    let db = db_with(one_session()).await;
    let error = db.error("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await;
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, true), "{error:?}");
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn a_transaction_that_lost_its_session_stays_lost() {
    let db = db_with(one_session()).await;
    let tx = db.begin().await;
    tx.query("CREATE TABLE t (id int)", &pack(&[])).await.unwrap();
    kill_sessions_of(&db).await;
    assert_eq!(tx.query("SELECT 1", &pack(&[])).await.unwrap_err().kind, PgErrorKind::Connection);
    assert_eq!(tx.query("SELECT 1", &pack(&[])).await.unwrap_err().kind, PgErrorKind::Connection);
    let error = tx.commit().await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Connection);
    assert_eq!(db.value("SELECT to_regclass('t')", &[]).await, "None");
}

pub fn postmaster(socket_dir: &Path) -> Option<i32> {
    let folders = std::fs::read_dir(socket_dir).unwrap().flatten();
    let file = folders.map(|folder| folder.path().join("postmaster.pid")).find(|file| file.exists())?;
    std::fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
}

pub fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Fast, immediate and by force; the supervisor starts the server again, the pool finds it.
#[tokio::test]
async fn a_server_that_ends_is_started_again_and_the_pool_recovers() {
    let own = own_server().await;
    let socket_dir = own.server.socket_dir();
    let limits = PoolLimits { statement_timeout: Duration::from_secs(120), ..PoolLimits::default() };
    let db = db_on(&own.server, limits).await;
    db.query("CREATE TABLE t (id int)", &[]).await.unwrap();
    for (n, signal) in
        [rustix::process::Signal::INT, rustix::process::Signal::QUIT, rustix::process::Signal::KILL]
            .into_iter()
            .enumerate()
    {
        let running = db.query("SELECT pg_sleep(600)", &[]);
        let ended = async {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active'";
            eventually("it runs", || async { db.value(sql, &[]).await != "1" }).await;
            let old = postmaster(socket_dir).unwrap();
            kill(old, signal);
            old
        };
        let (error, old) = tokio::join!(running, ended);
        assert_eq!(error.unwrap_err().kind, PgErrorKind::Connection, "{signal:?}");
        // The old one's children may serve on for a moment.
        let is_new = || async { postmaster(socket_dir).is_some_and(|new| new != old) };
        eventually("a new server starts", is_new).await;
        let insert = async || match db.query("INSERT INTO t VALUES ($1)", &[P::Int(n as i128)]).await {
            Ok(_) => true,
            Err(error) => {
                // Down, or down while it was asked.
                assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}");
                assert!(error.retryable);
                false
            }
        };
        eventually("it is back", insert).await;
    }
    assert_eq!(db.value("SELECT count(DISTINCT id) FROM t", &[]).await, "3");
}

#[tokio::test]
async fn a_stopped_server_is_an_error_not_a_hang() {
    let own = own_server().await;
    let limits = PoolLimits { checkout_timeout: Duration::from_millis(300), ..PoolLimits::default() };
    let db = db_on(&own.server, limits).await;
    db.value("SELECT 1", &[]).await;
    drop(own);
    for _ in 0..3 {
        let error = db.error("SELECT 1", &[]).await;
        assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, true));
    }
    assert!(db.status().failing && db.status().size <= 1);
}
