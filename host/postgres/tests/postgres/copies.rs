//! COPY in both directions, and how it ends early.

use bytes::Bytes;
use fasterapi_postgres::{CopyIn, PgError, PgErrorKind, PoolLimits};
use futures::TryStreamExt;

use crate::{
    streams::gone,
    support::{Db, P, db, db_with, eventually, one_session},
};

async fn copy_in(db: &Db, sql: &str, data: &[u8], size: usize) -> Result<u64, PgError> {
    let mut copy = db.database().copy_in(sql).await?;
    for chunk in data.chunks(size) {
        copy.write(Bytes::copy_from_slice(chunk)).await?;
    }
    copy.finish().await
}

async fn copy_out(db: &Db, sql: &str) -> Result<Vec<u8>, PgError> {
    let chunks: Vec<Bytes> = db.database().copy_out(sql).await?.try_collect().await?;
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
    Ok(chunks.concat())
}

async fn table(db: &Db) {
    db.query("CREATE TABLE t (id int PRIMARY KEY, name text)", &[]).await.unwrap();
}

async fn count(db: &Db) -> String {
    db.value("SELECT count(*) FROM t", &[]).await
}

#[tokio::test]
async fn what_was_copied_in_comes_out() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let text: String = (0..50_000).map(|i| format!("{i}\tname \\\\ {i} é\n")).collect();
    for (n, size) in [7, 1000, 70_000, 5 << 20].into_iter().enumerate() {
        db.query("TRUNCATE t", &[]).await.unwrap();
        assert_eq!(copy_in(&db, "COPY t FROM STDIN", text.as_bytes(), size).await.unwrap(), 50_000);
        assert_eq!(count(&db).await, "50000", "round {n}");
    }
    let sorted = "(SELECT * FROM t ORDER BY id)";
    assert_eq!(copy_out(&db, &format!("COPY {sorted} TO STDOUT")).await.unwrap(), text.as_bytes());
    for format in ["csv, HEADER", "binary"] {
        let data = copy_out(&db, &format!("COPY {sorted} TO STDOUT (FORMAT {format})")).await.unwrap();
        db.query("TRUNCATE t", &[]).await.unwrap();
        let sql = format!("COPY t (id, name) FROM STDIN (FORMAT {format})");
        assert_eq!(copy_in(&db, &sql, &data, 3000).await.unwrap(), 50_000);
        assert_eq!(copy_out(&db, &format!("COPY {sorted} TO STDOUT")).await.unwrap(), text.as_bytes());
    }
    db.query("TRUNCATE t", &[]).await.unwrap();
    assert_eq!(copy_out(&db, "COPY t TO STDOUT").await.unwrap(), b"");
    assert_eq!(copy_in(&db, "COPY t FROM STDIN", b"", 1).await.unwrap(), 0);
}

#[tokio::test]
async fn only_a_copy_over_the_wire_is_one() {
    let db = db().await;
    table(&db).await;
    let database = db.database();
    for sql in ["SELECT 1", "COPY t TO STDOUT", "COPY t FROM '/dev/null'", "COPY t FROM PROGRAM 'true'"] {
        assert_eq!(database.copy_in(sql).await.unwrap_err().kind, PgErrorKind::Usage, "{sql}");
    }
    for sql in ["SELECT 1", "COPY t FROM STDIN", "COPY t TO '/tmp/x'", "COPY t TO PROGRAM 'cat'"] {
        assert_eq!(database.copy_out(sql).await.unwrap_err().kind, PgErrorKind::Usage, "{sql}");
    }
    let two = database.copy_in("COPY t FROM STDIN; DROP TABLE t").await.unwrap_err();
    assert_eq!(two.sqlstate(), Some("42601"));
    let long = format!("COPY t FROM STDIN -- {}", "x".repeat(PoolLimits::default().max_parameter_bytes));
    assert_eq!(database.copy_in(&long).await.unwrap_err().kind, PgErrorKind::Usage);
    assert_eq!(database.copy_out(&long).await.unwrap_err().kind, PgErrorKind::Usage);
}

/// Refused before, at and after the first byte: the session knows where it stands each time.
#[tokio::test]
async fn a_refused_copy_leaves_its_session_in_order() {
    let db = db_with(one_session()).await;
    table(&db).await;
    for sql in [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
        "CREATE TABLE guarded (id int)",
        "CREATE TRIGGER guard BEFORE INSERT ON guarded EXECUTE FUNCTION refuse()",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    for (sql, sqlstate) in [
        ("COPY nothing FROM STDIN", "42P01"),
        ("COPY t (nothing) FROM STDIN", "42703"),
        ("COPY t FROM STDIN (FORMAT nothing)", "22023"),
        ("COPY guarded FROM STDIN", "P0001"),
        ("COPY t FROM STDIN (FORMAT binary)", "22P04"),
        ("COPY t FROM STDIN", "22P02"),
    ] {
        let error = copy_in(&db, sql, b"not a number\tx\n", 5).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some(sqlstate), "{sql}: {error:?}");
        assert_eq!(db.values("SELECT 1 UNION ALL SELECT 2", &[]).await, ["1", "2"], "{sql}");
        assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid, "{sql}");
    }
    let error = copy_out(&db, "COPY nothing TO STDOUT").await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    let error =
        copy_out(&db, "COPY (SELECT 1 / (i - 90000) FROM generate_series(1, 99999) i) TO STDOUT").await;
    assert_eq!(error.unwrap_err().sqlstate(), Some("22012"));
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
}

#[tokio::test]
async fn garbage_is_told_with_its_line() {
    let db = db().await;
    table(&db).await;
    let error = copy_in(&db, "COPY t FROM STDIN", b"1\tone\n2\ttwo\nthree\t3\n", 100).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22P02"));
    let detail = error.report.unwrap().detail.unwrap();
    assert!(detail.contains("line 3, column id: \"three\""), "{detail}");
    assert_eq!(count(&db).await, "0");
}

#[tokio::test]
async fn garbage_is_told_before_the_end() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let mut copy = db.database().copy_in("COPY t FROM STDIN").await.unwrap();
    let line = Bytes::from("garbage\n".repeat(10_000));
    let error = loop {
        if let Err(error) = copy.write(line.clone()).await {
            break error;
        }
    };
    assert_eq!(error.sqlstate(), Some("22P02"));
    assert_eq!(copy.write(line.clone()).await.unwrap_err().kind, PgErrorKind::Usage);
    // The session is back although the copy is still held.
    assert_eq!(count(&db).await, "0");
    assert_eq!(copy.finish().await.unwrap_err().kind, PgErrorKind::Usage);
}

async fn begun(db: &Db) -> CopyIn {
    let mut copy = db.database().copy_in("COPY t FROM STDIN").await.unwrap();
    for i in 0..20_000 {
        copy.write(Bytes::from(format!("{i}\tname {i}\n"))).await.unwrap();
    }
    copy
}

#[tokio::test]
async fn a_dropped_copy_stores_nothing() {
    let (db, other) = (db_with(one_session()).await, db().await);
    table(&db).await;
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    drop(begun(&db).await);
    gone(&other, "COPY t FROM STDIN").await;
    assert_eq!(count(&db).await, "0");
    let sql = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT";
    let mut out = db.database().copy_out(sql).await.unwrap();
    assert!(out.next().await.unwrap().is_some());
    drop(out);
    gone(&other, sql).await;
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
}

#[tokio::test]
async fn a_write_that_was_given_up_can_only_be_aborted() {
    let (db, other) = (db_with(one_session()).await, db().await);
    table(&db).await;
    let blocker = db.another();
    let tx = blocker.begin().await;
    tx.query("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", &crate::support::pack(&[])).await.unwrap();
    drop(other);
    // The server waits for the lock before it asks for data.
    let database = db.database();
    let waiting = database.copy_in("COPY t FROM STDIN");
    assert!(futures::FutureExt::now_or_never(waiting).is_none());
    tx.rollback().await.unwrap();
    let mut copy = begun(&db).await;
    let torn = loop {
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        match futures::FutureExt::now_or_never(copy.write(chunk)) {
            Some(Ok(())) => {}
            Some(Err(error)) => panic!("{error:?}"),
            None => break copy.write(Bytes::from_static(b"y")).await.unwrap_err(),
        }
    };
    assert_eq!(torn.kind, PgErrorKind::Usage);
    assert_eq!(copy.finish().await.unwrap_err().kind, PgErrorKind::Usage);
    assert_eq!(count(&db).await, "0");
}

/// What the server says after it has counted the rows.
#[tokio::test]
async fn a_commit_that_fails_is_not_reported_done() {
    let db = db_with(one_session()).await;
    db.query("CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)", &[]).await.unwrap();
    let error = copy_in(&db, "COPY t FROM STDIN", b"1\n1\n", 100).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"), "{error:?}");
    assert_eq!(count(&db).await, "0");
    let error =
        copy_out(&db, "COPY (INSERT INTO t VALUES (1), (1) RETURNING id) TO STDOUT").await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"), "{error:?}");
    assert_eq!(count(&db).await, "0");
}

#[tokio::test]
async fn a_copy_waits_for_its_server_no_longer_than_the_deadline() {
    let patience = std::time::Duration::from_millis(300);
    let db = db_with(PoolLimits { statement_timeout: patience, ..one_session() }).await;
    table(&db).await;
    let other = db.another();
    for sql in [
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$",
        "CREATE TRIGGER wait BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION wait()",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let copy = begun_one(&db).await;
    let error = copy.finish().await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Timeout, false), "{error:?}");
    gone(&other, "COPY t FROM STDIN").await;
    assert_eq!(count(&db).await, "0");
    let sql = "COPY (SELECT pg_sleep(600)) TO STDOUT";
    let error = copy_out(&db, sql).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Timeout);
    gone(&other, sql).await;
}

async fn begun_one(db: &Db) -> CopyIn {
    let mut copy = db.database().copy_in("COPY t FROM STDIN").await.unwrap();
    copy.write(Bytes::from_static(b"1\tx\n")).await.unwrap();
    copy
}

#[tokio::test]
async fn a_server_that_dies_in_mid_copy_is_an_error() {
    let (db, other) = (db_with(one_session()).await, db().await);
    table(&db).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    let name = [P::Text(db.name.clone())];
    let mut copy = begun(&db).await;
    other.value(kill, &name).await;
    let line = Bytes::from(vec![b'1'; 1 << 20]);
    let error = loop {
        if let Err(error) = copy.write(line.clone()).await {
            break error;
        }
    };
    assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}");
    let sql = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT";
    let mut out = db.database().copy_out(sql).await.unwrap();
    out.next().await.unwrap();
    other.value(kill, &name).await;
    let error = out.try_collect::<Vec<Bytes>>().await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}");
    let back = || async { db.query("SELECT count(*) FROM t", &[]).await.is_ok() };
    eventually("the pool is back", back).await;
    assert_eq!(count(&db).await, "0");
}
