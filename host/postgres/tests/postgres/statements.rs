//! Prepared statements and the size of results.

use fasterapi_postgres::{PgErrorKind, PoolLimits};

use crate::support::{P, db, db_with, one_session, pack, tx_value};

#[tokio::test]
async fn a_statement_is_prepared_once_and_the_cache_is_bounded() {
    let db = db_with(PoolLimits { statements: 4.try_into().unwrap(), ..one_session() }).await;
    let known = "SELECT count(*) FROM pg_prepared_statements";
    db.value(known, &[]).await;
    for n in 0..20 {
        for _ in 0..3 {
            db.value(&format!("SELECT {n}"), &[]).await;
        }
        db.value(known, &[]).await;
    }
    // The one that asks and three others; each was prepared once, so none is there twice.
    assert_eq!(db.value(known, &[]).await, "4");
    let text = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 19'";
    assert_eq!(db.value(text, &[]).await, "1");
}

#[tokio::test]
async fn closing_many_statements_is_not_taken_for_looking_up_types() {
    let db = db().await;
    db.query("CREATE TYPE pair AS (a int)", &[]).await.unwrap();
    db.query("CREATE TABLE t AS SELECT row(1)::pair AS p", &[]).await.unwrap();
    let tx = db.begin().await;
    for n in 0..300 {
        tx_value(&tx, &format!("SELECT {n}")).await;
    }
    assert_eq!(tx_value(&tx, "SELECT row(2)::pair").await, "(2,)");
    db.query("ALTER TYPE pair ADD ATTRIBUTE b int", &[]).await.unwrap();
    assert_eq!(tx_value(&tx, "SELECT p FROM t").await, "(1, None)");
}

#[tokio::test]
async fn a_very_long_statement_is_not_kept() {
    let db = db_with(one_session()).await;
    let long = format!("SELECT 1 -- {}", "x".repeat(20_000));
    db.value(&long, &[]).await;
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE length(statement) > 10000";
    assert_eq!(db.value(sql, &[]).await, "0");
}

#[tokio::test]
async fn a_statement_that_the_server_forgot_is_prepared_anew() {
    let db = db_with(one_session()).await;
    let tx = db.begin().await;
    let name = "SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 1'";
    tx_value(&tx, "SELECT 1").await;
    let name = tx_value(&tx, name).await.replace('\'', "");
    tx.query(&format!("DEALLOCATE {name}"), &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn a_result_over_the_limit_is_refused_and_the_session_lives() {
    let db = db_with(PoolLimits { max_result_bytes: 100_000, ..one_session() }).await;
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let sql = "SELECT repeat('x', 1000) FROM generate_series(1, $1)";
    assert_eq!(db.values(sql, &[P::Int(90)]).await.len(), 90);
    for rows in [100, 100_000] {
        let error = db.error(sql, &[P::Int(rows)]).await;
        assert_eq!((error.kind, error.retryable), (PgErrorKind::TooLarge, false));
        assert_eq!(error.message, "the result is over the limit of 100000 bytes for one block");
        assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
    }
}

#[tokio::test]
async fn one_value_over_the_limit_is_never_read() {
    let db = db_with(PoolLimits { max_result_bytes: 100_000, ..one_session() }).await;
    let error = db.error("SELECT repeat('x', 50000000)", &[]).await;
    assert_eq!(error.kind, PgErrorKind::TooLarge);
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

/// The driver looks types up by recursion: without a bound, a tenant that may make types could overflow the host's
/// stack.
#[tokio::test]
async fn types_nested_beyond_reason_are_refused() {
    let db = db_with(one_session()).await;
    db.query(
        "DO $$ BEGIN CREATE TYPE c0 AS (x int);
         FOR n IN 1..200 LOOP EXECUTE format('CREATE TYPE c%s AS (x c%s)', n, n - 1); END LOOP; END $$",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(db.value("SELECT NULL::c20", &[]).await, "None");
    for depth in [200, 150, 60, 100] {
        let error = db.error(&format!("SELECT NULL::c{depth}"), &[]).await;
        assert_eq!(error.kind, PgErrorKind::Usage, "{depth}: {error:?}");
        assert_eq!(error.message, "the statement's types are too many or too deeply nested");
        assert_eq!(db.value("SELECT 1", &[]).await, "1");
    }
    let tx = db.begin().await;
    let message = |error: fasterapi_postgres::PgError| error.message;
    let deep = tx.query("SELECT NULL::c60", &pack(&[])).await.map_err(message);
    assert_eq!(deep.unwrap_err(), "the statement's types are too many or too deeply nested");
    let lost = tx.query("SELECT 1", &pack(&[])).await.unwrap_err();
    assert_eq!(lost.kind, PgErrorKind::Connection);
    drop(tx);
    // The bound is no ratchet: what was looked up before does not let the next go deeper.
    for depth in (10..=100).step_by(10) {
        let _ = db.query(&format!("SELECT NULL::c{depth}"), &[]).await;
    }
    assert_eq!(db.error("SELECT NULL::c100", &[]).await.kind, PgErrorKind::Usage);
}
