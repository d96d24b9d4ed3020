//! Transactions: their ends, savepoints, isolation, and what becomes of one that is dropped.

use std::time::Duration;

use fasterapi_postgres::{Isolation, PgErrorKind, PoolLimits, Transaction, TransactionOptions};

use crate::support::{Db, P, db, db_with, eventually, one_session, pack, tx_value};

async fn table() -> Db {
    let db = db_with(PoolLimits { max_size: 2.try_into().unwrap(), ..PoolLimits::default() }).await;
    db.query("CREATE TABLE t (id int PRIMARY KEY)", &[]).await.unwrap();
    db
}

async fn insert(tx: &Transaction, id: i128) -> Result<(), fasterapi_postgres::PgError> {
    tx.query("INSERT INTO t VALUES ($1)", &pack(&[P::Int(id)])).await.map(drop)
}

#[tokio::test]
async fn commit_keeps_and_rollback_undoes() {
    let db = table().await;
    let tx = db.begin().await;
    insert(&tx, 1).await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0");
    tx.commit().await.unwrap();
    let tx = db.begin().await;
    insert(&tx, 2).await.unwrap();
    tx.rollback().await.unwrap();
    let tx = db.begin().await;
    insert(&tx, 3).await.unwrap();
    drop(tx);
    assert_eq!(db.values("SELECT id FROM t", &[]).await, ["1"]);
}

#[tokio::test]
async fn an_ended_transaction_takes_nothing_more() {
    let db = table().await;
    let tx = db.begin().await;
    tx.commit().await.unwrap();
    for error in [
        tx.commit().await.unwrap_err(),
        tx.rollback().await.unwrap_err(),
        insert(&tx, 1).await.unwrap_err(),
        tx.savepoint("a").await.unwrap_err(),
    ] {
        assert_eq!((error.kind, error.message.as_str()), (PgErrorKind::Usage, "the transaction has ended"));
    }
}

#[tokio::test]
async fn savepoints_nest_and_their_names_are_quoted() {
    let db = table().await;
    let tx = db.begin().await;
    tx.savepoint("A \"b\"; DROP TABLE t").await.unwrap();
    insert(&tx, 1).await.unwrap();
    tx.savepoint("inner").await.unwrap();
    insert(&tx, 2).await.unwrap();
    assert_eq!(insert(&tx, 2).await.unwrap_err().sqlstate(), Some("23505"));
    assert_eq!(insert(&tx, 3).await.unwrap_err().sqlstate(), Some("25P02"));
    tx.rollback_to("inner").await.unwrap();
    insert(&tx, 4).await.unwrap();
    tx.release("inner").await.unwrap();
    assert_eq!(tx.release("inner").await.unwrap_err().sqlstate(), Some("3B001"));
    tx.rollback_to("A \"b\"; DROP TABLE t").await.unwrap();
    insert(&tx, 5).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT id FROM t", &[]).await, ["5"]);
    let tx = db.begin().await;
    for name in ["", "a\0", &"x".repeat(64)] {
        assert_eq!(tx.savepoint(name).await.unwrap_err().kind, PgErrorKind::Usage);
    }
}

#[tokio::test]
async fn the_commit_of_an_aborted_transaction_is_an_error() {
    let db = table().await;
    let tx = db.begin().await;
    insert(&tx, 1).await.unwrap();
    insert(&tx, 1).await.unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Database, Some("25P02")));
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0");
}

#[tokio::test]
async fn a_commit_that_the_server_refuses_is_its_error() {
    let db = table().await;
    db.query("CREATE TABLE u (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED)", &[]).await.unwrap();
    let tx = db.begin().await;
    tx.query("INSERT INTO u VALUES (1)", &pack(&[])).await.unwrap();
    assert_eq!(tx.commit().await.unwrap_err().sqlstate(), Some("23503"));
    assert_eq!(db.value("SELECT count(*) FROM u", &[]).await, "0");
}

#[tokio::test]
async fn options_reach_the_server() {
    let db = db().await;
    for (isolation, name) in [
        (None, "read committed"),
        (Some(Isolation::ReadCommitted), "read committed"),
        (Some(Isolation::RepeatableRead), "repeatable read"),
        (Some(Isolation::Serializable), "serializable"),
    ] {
        let tx = db
            .begin_with(TransactionOptions { isolation, read_only: true, deferrable: true, retries: 0 })
            .await;
        for (setting, value) in [("isolation", name), ("read_only", "on"), ("deferrable", "on")] {
            let sql = format!("SELECT current_setting('transaction_{setting}')");
            assert_eq!(tx_value(&tx, &sql).await, format!("'{value}'"));
        }
    }
}

#[tokio::test]
async fn a_serialization_failure_is_retryable() {
    let db = table().await;
    db.query("INSERT INTO t VALUES (1), (2)", &[]).await.unwrap();
    let options = TransactionOptions { isolation: Some(Isolation::Serializable), ..Default::default() };
    let (first, second) = (db.begin_with(options).await, db.begin_with(options).await);
    for (tx, id) in [(&first, 10), (&second, 20)] {
        tx_value(tx, "SELECT sum(id) FROM t").await;
        insert(tx, id).await.unwrap();
    }
    first.commit().await.unwrap();
    let error = second.commit().await.unwrap_err();
    assert_eq!((error.sqlstate(), error.retryable), (Some("40001"), true));
}

#[tokio::test]
async fn transaction_control_within_is_refused_and_harmless() {
    let db = table().await;
    let tx = db.begin().await;
    insert(&tx, 1).await.unwrap();
    for sql in ["COMMIT", "ROLLBACK", "BEGIN", "END", "ABORT", "PREPARE TRANSACTION 'x'"] {
        assert_eq!(tx.query(sql, &pack(&[])).await.unwrap_err().kind, PgErrorKind::Usage, "{sql}");
    }
    tx.query("SAVEPOINT s", &pack(&[])).await.unwrap();
    insert(&tx, 2).await.unwrap();
    tx.query("ROLLBACK TO SAVEPOINT s", &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT id FROM t", &[]).await, ["1"]);
}

#[tokio::test]
async fn a_usage_error_does_not_abort() {
    let db = table().await;
    let tx = db.begin().await;
    assert_eq!(insert(&tx, 1 << 40).await.unwrap_err().kind, PgErrorKind::Usage);
    insert(&tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "1");
}

#[tokio::test]
async fn a_call_dropped_within_aborts_but_the_transaction_can_go_back() {
    let db = table().await;
    let tx = db.begin().await;
    tx.savepoint("s").await.unwrap();
    {
        let nothing = pack(&[]);
        let mut call = std::pin::pin!(tx.query("SELECT pg_sleep(600) -- within", &nothing));
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%-- within'";
        tokio::select! {
            _ = &mut call => panic!("it ended"),
            () = eventually("it runs", || async { db.value(sql, &[]).await == "1" }) => {}
        }
    }
    tx.rollback_to("s").await.unwrap();
    insert(&tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "1");
}

#[tokio::test]
async fn a_dropped_transaction_frees_its_session_and_its_locks() {
    let db = table().await;
    db.query("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    for _ in 0..20 {
        let tx = db.begin().await;
        tx.query("SELECT id FROM t FOR UPDATE", &pack(&[])).await.unwrap();
        drop(tx);
    }
    let idle =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    eventually("all are rolled back", || async { db.value(idle, &[]).await == "0" }).await;
    db.query("UPDATE t SET id = 2", &[]).await.unwrap();
}

#[tokio::test]
async fn a_session_setting_in_a_transaction_is_reset_after_it() {
    let db = db_with(one_session()).await;
    let tx = db.begin().await;
    tx.query("SET search_path = leaked", &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT current_setting('search_path')", &[]).await, "'\"$user\", public'");
}

#[tokio::test]
async fn calls_on_one_transaction_take_turns() {
    let db = table().await;
    let tx = db.begin().await;
    let calls = futures::future::join_all((0..20).map(|id| insert(&tx, id))).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "20");
}

#[tokio::test]
async fn a_deadline_within_a_transaction_aborts_it() {
    let db = db_with(PoolLimits { statement_timeout: Duration::from_millis(200), ..one_session() }).await;
    let tx = db.begin().await;
    let error = tx.query("SELECT pg_sleep(600)", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Timeout);
    assert_eq!(tx.commit().await.unwrap_err().sqlstate(), Some("25P02"));
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}
