//! Results in blocks: the same rows, in bounded memory, and how a stream ends early.

use std::time::Duration;

use fasterapi_postgres::{PgErrorKind, PoolLimits, RowStream};

use crate::{
    blocks::{Py, unpack_all},
    support::{Db, P, db, db_with, eventually, one_session, pack},
};

/// Over a hundred megabytes, a kilobyte a row.
pub const LARGE: &str = "SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i";

pub fn rows(block: &[u8]) -> Vec<Py> {
    match unpack_all(block) {
        Py::List(rows) => rows,
        other => panic!("{other}"),
    }
}

async fn stream(db: &Db, sql: &str) -> RowStream {
    db.database().stream(sql, &pack(&[])).await.unwrap()
}

/// Waits until the statement with this text is no longer known to be running.
pub async fn gone(db: &Db, sql: &str) {
    let look = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state <> 'idle'";
    eventually("it is cancelled", || async { db.value(look, &[P::Text(sql.into())]).await == "0" }).await;
}

#[tokio::test]
async fn a_large_result_comes_in_parts_and_what_changes_something_whole() {
    let db = db_with(one_session()).await;
    let database = db.database();
    let sql = "SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i";
    let (block, rest) = database.fetch(sql, &pack(&[])).await.unwrap();
    let first = crate::support::Answer::read(&block).rows.len();
    let (mut rest, mut count) = (rest.unwrap(), first);
    while let Some(block) = rest.next().await.unwrap() {
        count += rows(&block).len();
    }
    assert!((900..1200).contains(&first) && count == 5000, "{first} of {count}");
    let (_, rest) = database.fetch(sql, &pack(&[])).await.unwrap();
    drop(rest);
    db.query("CREATE TABLE t AS SELECT i FROM generate_series(1, 5000) i", &[]).await.unwrap();
    let sql = "UPDATE t SET i = i + 1 RETURNING i, repeat('x', 1000)";
    let (block, rest) = database.fetch(sql, &pack(&[])).await.unwrap();
    assert_eq!((crate::support::Answer::read(&block).rows.len(), rest.is_none()), (5000, true));
    assert_eq!(db.value("SELECT min(i) FROM t", &[]).await, "2");
    assert!(database.fetch("SELECT 1", &pack(&[])).await.unwrap().1.is_none());
}

#[tokio::test]
async fn a_stream_gives_the_rows_of_the_query_in_blocks() {
    let db = db().await;
    let sql = "SELECT i, 'row ' || i AS name FROM generate_series(1, $1::int) i";
    let params = pack(&[P::Int(50_000)]);
    let mut stream = db.database().stream(sql, &params).await.unwrap();
    let (mut blocks, mut streamed) = (Vec::new(), Vec::new());
    while let Some(block) = stream.next().await.unwrap() {
        let new = rows(&block);
        assert!(!new.is_empty() && block.len() < 80 << 10, "{} bytes", block.len());
        blocks.push(block.len());
        streamed.extend(new);
    }
    let whole = db.query(sql, &[P::Int(50_000)]).await.unwrap();
    assert!(whole.rows.iter().map(|row| Py::Tuple(row.clone())).eq(streamed));
    assert!(blocks.len() > 5 && blocks[0] < 16 << 10, "{blocks:?}");
    let columns = [("i", 23, "plain"), ("name", 25, "plain")]
        .map(|(name, oid, kind)| Py::Tuple(vec![Py::Str(name.into()), Py::Int(oid), Py::Str(kind.into())]));
    assert_eq!(unpack_all(stream.columns()), Py::Tuple(columns.to_vec()));
    assert_eq!(stream.next().await.unwrap(), None);
}

#[tokio::test]
async fn an_empty_stream_has_its_columns_and_gives_its_session_back_at_once() {
    let db = db_with(one_session()).await;
    let mut empty = stream(&db, "SELECT 1 AS one WHERE false").await;
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
    assert_eq!(unpack_all(empty.columns()).to_string(), "(('one', 23, 'plain'),)");
    assert_eq!(empty.next().await.unwrap(), None);
    let command = stream(&db, "CREATE TABLE t (id int)").await;
    assert_eq!(unpack_all(command.columns()).to_string(), "()");
    db.query("INSERT INTO t VALUES (1)", &[]).await.unwrap();
}

/// And whether it could be committed is told there.
#[tokio::test]
async fn what_a_stream_writes_is_committed_behind_its_last_row() {
    let db = db_with(one_session()).await;
    db.query("CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)", &[]).await.unwrap();
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let insert = "INSERT INTO t SELECT i FROM generate_series(1, 3) i RETURNING i";
    let many = "INSERT INTO t SELECT i FROM generate_series(1, 100000) i RETURNING i, repeat('x', 100)";
    let mut taken = stream(&db, many).await;
    assert!(taken.next().await.unwrap().is_some());
    drop(taken);
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0");
    let mut taken = stream(&db, insert).await;
    while taken.next().await.unwrap().is_some() {}
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "3");
    // Nothing comes of it, and the end says why; also when there was no row.
    let mut refused = stream(&db, insert).await;
    assert!(refused.next().await.unwrap().is_some());
    assert_eq!(refused.next().await.unwrap_err().sqlstate(), Some("23505"));
    let mut empty = stream(&db, "UPDATE t SET i = 9 WHERE i > 100 RETURNING i").await;
    assert!(empty.next().await.unwrap().is_none());
    let mut refused =
        stream(&db, "WITH w AS (UPDATE t SET i = 1 RETURNING i) SELECT i FROM w WHERE i > 1").await;
    assert_eq!(refused.next().await.unwrap_err().sqlstate(), Some("23505"));
    assert_eq!(db.value("SELECT count(DISTINCT i) FROM t", &[]).await, "3");
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
    // What cannot be in a transaction is not.
    let mut vacuum = stream(&db, "VACUUM t").await;
    assert!(vacuum.next().await.unwrap().is_none());
}

#[tokio::test]
async fn the_end_of_a_stream_gives_its_session_back() {
    let db = db_with(one_session()).await;
    let mut all = stream(&db, "SELECT 1").await;
    while all.next().await.unwrap().is_some() {}
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
    drop(all);
}

#[tokio::test]
async fn errors_come_where_they_happen() {
    let db = db_with(one_session()).await;
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let database = db.database();
    let error = database.stream("SELECT * FROM nothing", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    let error = database.stream("SELECT $1::int", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    let error =
        database.stream("SELECT 1 / (i - 1) FROM generate_series(1, 5) i", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22012"));
    let error = database.stream("BEGIN", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    let mut later = stream(&db, "SELECT 1 / (i - 50000) FROM generate_series(1, 60000) i").await;
    let mut count = 0;
    let error = loop {
        match later.next().await {
            Ok(block) => count += rows(&block.unwrap()).len(),
            Err(error) => break error,
        }
    };
    assert_eq!((error.sqlstate(), count), (Some("22012"), 49_999));
    // The session goes back with the error, not with the stream.
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
    assert_eq!(later.next().await.unwrap(), None);
}

#[tokio::test]
async fn one_row_is_bounded() {
    let limits = PoolLimits { max_result_bytes: 10_000, ..one_session() };
    let db = db_with(limits).await;
    let sql = "SELECT repeat('x', CASE WHEN i = 9 THEN $1 ELSE 9000 END) FROM generate_series(1, 12) i";
    for (size, kind) in
        [(9_000, None), (11_000, Some(PgErrorKind::TooLarge)), (9 << 20, Some(PgErrorKind::TooLarge))]
    {
        let mut stream = db.database().stream(sql, &pack(&[P::Int(size)])).await.unwrap();
        let mut count = 0;
        let error = loop {
            match stream.next().await {
                Ok(Some(block)) => count += rows(&block).len(),
                Ok(None) => break None,
                Err(error) => break Some(error.kind),
            }
        };
        assert_eq!(error, kind, "{size}");
        assert!(if error.is_some() { (1..=8).contains(&count) } else { count == 12 }, "{size}: {count}");
    }
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled_and_its_session_clean() {
    let (db, other) = (db_with(one_session()).await, db().await);
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let mut large = stream(&db, LARGE).await;
    large.next().await.unwrap();
    let look = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'";
    assert_eq!(other.value(look, &[P::Text(LARGE.into())]).await, "1");
    drop(large);
    gone(&other, LARGE).await;
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_makes_the_server_wait() {
    let (db, other) = (db().await, db().await);
    let unread = stream(&db, LARGE).await;
    let look = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND wait_event = 'ClientWrite'";
    let waits = || async { other.value(look, &[P::Text(LARGE.into())]).await == "1" };
    eventually("the server waits for its client", waits).await;
    drop(unread);
}

/// Rows that are too wide for the server to keep back.
const SLOW: &str =
    "SELECT i, repeat('x', 20000), CASE WHEN i = 5 THEN pg_sleep(600) END FROM generate_series(1, 9) i";

#[tokio::test]
async fn the_deadline_is_for_the_server_not_for_its_client() {
    let patience = Duration::from_millis(400);
    let db = db_with(PoolLimits { statement_timeout: patience, ..one_session() }).await;
    let error = db.database().stream("SELECT pg_sleep(600)", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Timeout);
    let mut large = stream(&db, LARGE).await;
    let mut count = rows(&large.next().await.unwrap().unwrap()).len();
    // A client that takes its time.
    tokio::time::sleep(patience * 2).await;
    while let Some(block) = large.next().await.unwrap() {
        count += rows(&block).len();
    }
    assert_eq!(count, 200_000);
    let mut slow = stream(&db, SLOW).await;
    let mut count = 0;
    let error = loop {
        match slow.next().await {
            Ok(block) => count += rows(&block.unwrap()).len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, PgErrorKind::Timeout);
    assert!((1..5).contains(&count), "{count} rows");
    gone(&db, SLOW).await;
}

#[tokio::test]
async fn what_a_dropped_call_had_is_not_lost() {
    let db = db().await;
    let mut large = stream(&db, "SELECT i FROM generate_series(1, 100000) i").await;
    let mut count = 0;
    loop {
        // Polled once, then dropped.
        let block = match futures::FutureExt::now_or_never(large.next()) {
            None => {
                tokio::task::yield_now().await;
                continue;
            }
            Some(block) => block.unwrap(),
        };
        let Some(block) = block else { break };
        count += rows(&block).len();
    }
    assert_eq!(count, 100_000);
}

#[tokio::test]
async fn a_server_that_dies_in_mid_stream_is_an_error_not_an_end() {
    let (db, other) = (db_with(one_session()).await, db().await);
    let mut large = stream(&db, LARGE).await;
    large.next().await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    other.value(kill, &[P::Text(db.name.clone())]).await;
    let error = loop {
        match large.next().await {
            Ok(block) => assert!(block.is_some(), "it ended as if nothing were wrong"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}");
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}
