//! What is seen of calls from outside.

use std::time::Duration;

use fasterapi_postgres::{Isolation, PoolLimits, StatementReport, TransactionOptions};

use crate::{
    logs::log,
    support::{Db, P, db, db_with, eventually, one_session, pack, text},
};

fn reports(db: &Db) -> Vec<StatementReport> {
    db.databases.statistics().flat_map(|(_, _, reports)| reports).collect()
}

fn report(db: &Db, route: &str, statement: &str) -> StatementReport {
    let all = reports(db);
    let found = all.iter().find(|report| (&*report.route, &*report.statement) == (route, statement));
    found.cloned().unwrap_or_else(|| panic!("no report of {route} {statement} in {all:#?}"))
}

#[tokio::test]
async fn calls_count_by_route_and_form() {
    let db = db_with(one_session()).await;
    let on = |route: &str| db.database().on_route(route.into());
    for number in [1, 2] {
        on("GET /a").query("SELECT $1::int AS n, 'x'", &pack(&[P::Int(number)])).await.unwrap();
    }
    on("GET /a").query("select  $1::int as N,'another' -- text", &pack(&[P::Int(3)])).await.unwrap();
    on("GET /b").query("SELECT $1::int AS n, 'x'", &pack(&[P::Int(4)])).await.unwrap();
    let form = "select ?::int as n, ?";
    let a = report(&db, "GET /a", form);
    assert_eq!((a.micros.count, a.waited_micros.count, a.rows, a.failed), (3, 3, 3, 0));
    assert!(a.sent_bytes > 0 && a.received_bytes > 0 && a.micros.p99.is_some());
    let b = report(&db, "GET /b", form);
    assert_eq!((b.micros.count, a.parsed, b.parsed), (1, 2, 0), "the same text is parsed once");
}

#[tokio::test]
async fn what_fails_or_is_given_up_is_counted_as_that() {
    let db = db_with(one_session()).await;
    db.error("SELECT 1 / 0", &[]).await;
    let (database, none) = (db.database(), pack(&[]));
    let call = database.query("SELECT pg_sleep(60)", &none);
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    assert_eq!(db.value("SELECT 7", &[]).await, "7");
    assert_eq!(report(&db, "*", "select ? / ?").failed, 1);
    assert_eq!(report(&db, "*", "select pg_sleep(?)").failed, 1);
    assert_eq!(report(&db, "*", "select ?").failed, 0);
}

#[tokio::test]
async fn a_call_that_gets_no_session_has_waited_in_vain() {
    let limits = PoolLimits { checkout_timeout: Duration::from_millis(50), ..one_session() };
    let db = db_with(limits).await;
    let held = db.begin().await;
    db.error("SELECT 1", &[]).await;
    held.rollback().await.unwrap();
    let waited = report(&db, "*", "select ?");
    assert_eq!((waited.failed, waited.waited_micros.count), (1, 1));
    assert!(waited.waited_micros.total >= 50_000);
}

#[tokio::test]
async fn transactions_batches_and_streams_count() {
    let db = db().await;
    db.query("CREATE TABLE t (id int)", &[]).await.unwrap();
    let tx = db.begin().await;
    tx.query("SELECT 1", &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    drop(tx);
    let sets = (0..3).map(|id| P::List(vec![P::Int(id)]));
    let batch = P::List(std::iter::once(text("INSERT INTO t VALUES ($1)")).chain(sets).collect());
    db.database().batch(&pack(&[batch])).await.unwrap();
    let mut stream = db.database().stream("SELECT id FROM t", &pack(&[])).await.unwrap();
    while stream.next().await.unwrap().is_some() {}
    drop(stream);
    assert_eq!(report(&db, "*", "select ?").rows, 1);
    assert_eq!(report(&db, "*", "select id from t").rows, 3);
    for once in ["(transaction)", "commit", "batch: insert into t values(?)"] {
        assert_eq!(report(&db, "*", once).micros.count, 1, "{once}");
    }
}

#[tokio::test]
async fn a_replay_is_counted() {
    let db = db().await;
    db.query("CREATE TABLE t (n int)", &[]).await.unwrap();
    db.query("INSERT INTO t VALUES (1), (2)", &[]).await.unwrap();
    let serializable =
        TransactionOptions { isolation: Some(Isolation::Serializable), retries: 3, ..Default::default() };
    let tx = db.begin_with(serializable).await;
    tx.query("SELECT count(*) FROM t", &pack(&[])).await.unwrap();
    let other = db.begin_with(TransactionOptions { retries: 0, ..serializable }).await;
    other.query("SELECT count(*) FROM t", &pack(&[])).await.unwrap();
    other.query("UPDATE t SET n = n WHERE n = 1", &pack(&[])).await.unwrap();
    other.commit().await.unwrap();
    tx.query("UPDATE t SET n = n WHERE n = 2", &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    drop((tx, other));
    let seen = report(&db, "*", "(transaction)");
    assert_eq!((seen.retries, seen.replays, seen.failed), (1, 1, 1), "the server's error is counted, too");
}

#[tokio::test]
async fn forms_beyond_the_most_count_together() {
    let db = db().await;
    for number in 0..1010 {
        db.query(&format!("SELECT 1 AS a{number}"), &[]).await.unwrap();
    }
    let all = reports(&db);
    assert!(all.len() <= 1001, "{}", all.len());
    assert_eq!(all.iter().map(|report| report.micros.count).sum::<u64>(), 1010);
    assert!(report(&db, "*", "(other statements)").micros.count >= 10);
}

#[tokio::test]
async fn a_slow_call_is_logged_without_its_values() {
    let (lines, _guard) = log();
    let slow = Duration::from_millis(50);
    let db = db_with(PoolLimits { slow_statement: slow, ..PoolLimits::default() }).await;
    db.value("SELECT 1", &[]).await;
    db.query("SELECT pg_sleep(0.06), 'a secret', $1::text", &[text("another secret")]).await.unwrap();
    eventually("the slow statement is logged", || async { !lines.of("slow statement").is_empty() }).await;
    let logged = lines.of("slow statement");
    assert_eq!(logged.len(), 1, "{logged:?}");
    for part in
        ["route=\"*\"", "database=default", "select pg_sleep(?), ?, …::text", "rows=1", "failed=false"]
    {
        assert!(logged[0].contains(part), "{part} in {logged:?}");
    }
    assert!(!logged[0].contains("secret"));
}
