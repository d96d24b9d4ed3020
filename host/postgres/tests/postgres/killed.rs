//! Guests that are killed in the middle of something: their futures are dropped, wherever they stand.
//!
//! Nothing of it is committed, and the one session that the pool has is whole again and the same.

use std::sync::Arc;

use bytes::Bytes;
use fasterapi_postgres::{Database, Transaction, TransactionOptions};
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::support::{Db, P, db, db_with, eventually, one_session, pack, text};

const INSERT: &str = "INSERT INTO t VALUES (1)";
const SLEEP: &str = "SELECT pg_sleep(600)";
const COPY: &str = "COPY t FROM STDIN";

/// What a guest does until it is killed. It says when there is no more to wait for than the server's own work.
type Guest = fn(Database, Arc<Notify>) -> BoxFuture<'static, ()>;

const GUESTS: &[(&str, Guest)] = &[
    ("a statement", |db, there| {
        Box::pin(async move {
            there.notify_one();
            let _ = db.query("INSERT INTO t SELECT 1 FROM pg_sleep(600)", &pack(&[])).await;
        })
    }),
    ("a statement under variables", |db, there| {
        Box::pin(async move {
            let under = db.with_variables(Arc::new([("app.x".into(), "1".into())]));
            there.notify_one();
            let _ = under.query("INSERT INTO t SELECT 1 FROM pg_sleep(600)", &pack(&[])).await;
        })
    }),
    ("a batch", |db, there| {
        Box::pin(async move {
            there.notify_one();
            let item = |sql: &str| P::List(vec![text(sql), P::List(Vec::new())]);
            let _ = db.batch(&pack(&[item(INSERT), item(SLEEP)])).await;
        })
    }),
    ("a transaction, between its statements", |db, there| {
        Box::pin(async move {
            let _tx = begun(&db).await;
            stay(&there).await;
        })
    }),
    ("a transaction's statement", |db, there| {
        Box::pin(async move {
            let tx = begun(&db).await;
            there.notify_one();
            let _ = tx.query(SLEEP, &pack(&[])).await;
        })
    }),
    ("a copy in", |db, there| {
        Box::pin(async move {
            let mut copy = db.copy_in(COPY).await.unwrap();
            copy.write(Bytes::from("1\n".repeat(100_000))).await.unwrap();
            stay(&there).await;
            let _ = copy.finish().await;
        })
    }),
    ("a transaction's copy in", |db, there| {
        Box::pin(async move {
            let tx = begun(&db).await;
            let mut copy = tx.copy_in(COPY).await.unwrap();
            copy.write(Bytes::from("1\n".repeat(100_000))).await.unwrap();
            stay(&there).await;
            let _ = copy.finish().await;
        })
    }),
    ("a transaction, behind its copy in", |db, there| {
        Box::pin(async move {
            let tx = begun(&db).await;
            let mut copy = tx.copy_in(COPY).await.unwrap();
            copy.write(Bytes::from("1\n2\n")).await.unwrap();
            copy.finish().await.unwrap();
            stay(&there).await;
        })
    }),
    ("a copy out", |db, there| {
        Box::pin(async move {
            let mut copy = db
                .copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT")
                .await
                .unwrap();
            copy.next().await.unwrap();
            stay(&there).await;
        })
    }),
    ("a stream of what is being written", |db, there| {
        Box::pin(async move {
            let sql = "INSERT INTO t SELECT i FROM generate_series(1, 1000000) i RETURNING repeat('x', 100)";
            let mut stream = db.stream(sql, &pack(&[])).await.unwrap();
            stream.next().await.unwrap();
            stay(&there).await;
        })
    }),
    ("a transaction's stream", |db, there| {
        Box::pin(async move {
            let tx = begun(&db).await;
            let mut stream = tx.stream("SELECT generate_series(1, 1000000)", &pack(&[])).await.unwrap();
            stream.next().await.unwrap();
            stay(&there).await;
        })
    }),
];

/// A transaction that has written.
async fn begun(db: &Database) -> Transaction {
    let tx = db.begin(TransactionOptions::default()).await.unwrap();
    tx.query(INSERT, &pack(&[])).await.unwrap();
    tx
}

async fn stay(there: &Notify) {
    there.notify_one();
    std::future::pending().await
}

#[tokio::test]
async fn a_guest_killed_in_the_middle_leaves_nothing() {
    let (db, watch) = (db_with(one_session()).await, db().await);
    db.query("CREATE TABLE t (id int)", &[]).await.unwrap();
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    for (what, guest) in GUESTS {
        let there = Arc::new(Notify::new());
        let guest = tokio::spawn(guest(db.database(), Arc::clone(&there)));
        there.notified().await;
        eventually(what, || async { works(&watch, &db).await }).await;
        guest.abort();
        assert!(guest.await.unwrap_err().is_cancelled(), "{what}");
        eventually("its session is back", || async { db.status().idle == 1 && db.status().size == 1 }).await;
        assert!(!works(&watch, &db).await, "{what}");
        assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0", "{what}");
        assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid, "{what}");
    }
}

/// Whether a session of the database's is in a transaction.
async fn works(watch: &Db, db: &Db) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND xact_start IS NOT NULL";
    watch.value(sql, &[text(&db.name)]).await != "0"
}
