//! Streams and COPY within transactions.

use std::time::Duration;

use bytes::Bytes;
use fasterapi_postgres::{PgError, PgErrorKind, RowStream, Transaction, TransactionOptions};
use futures::TryStreamExt;

use crate::{
    blocks::unpack_all,
    streams::{gone, rows},
    support::{Db, P, db, db_with, eventually, one_session, pack, tx_value},
};

async fn run(tx: &Transaction, sql: &str) {
    tx.query(sql, &pack(&[])).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

async fn stream(tx: &Transaction, sql: &str) -> Result<RowStream, PgError> {
    tx.stream(sql, &pack(&[])).await
}

async fn table(db: &Db) {
    db.query("CREATE TABLE t (id int)", &[]).await.unwrap();
}

async fn count(db: &Db) -> String {
    db.value("SELECT count(*) FROM t", &[]).await
}

#[tokio::test]
async fn statements_run_between_the_blocks_of_streams() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let tx = db.begin().await;
    let sql = "SELECT i, 'row ' || i FROM generate_series(1, $1::int) i -- all;";
    let mut first = tx.stream(sql, &pack(&[P::Int(30_000)])).await.unwrap();
    let mut second = stream(&tx, "WITH a AS (VALUES (1), (2)) SELECT * FROM a;").await.unwrap();
    let (mut blocks, mut streamed) = (Vec::new(), Vec::new());
    while let Some(block) = first.next().await.unwrap() {
        run(&tx, "INSERT INTO t VALUES (1)").await;
        let new = rows(&block);
        assert!(!new.is_empty() && block.len() < 600 << 10, "{} bytes", block.len());
        blocks.push(block.len());
        streamed.extend(new);
    }
    assert_eq!(rows(&second.next().await.unwrap().unwrap()).len(), 2);
    assert_eq!(second.next().await.unwrap(), None);
    assert_eq!(first.next().await.unwrap(), None);
    assert_eq!(tx_value(&tx, "SELECT count(*) FROM pg_cursors WHERE name <> ''").await, "0");
    tx.commit().await.unwrap();
    let whole = db.query(sql, &[P::Int(30_000)]).await.unwrap();
    assert!(whole.rows.iter().map(|row| crate::blocks::Py::Tuple(row.clone())).eq(streamed));
    assert!(blocks.len() > 5 && blocks[0] < 4 << 10, "{blocks:?}");
    assert_eq!(count(&db).await, blocks.len().to_string());
}

#[tokio::test]
async fn only_queries_are_streamed_within_a_transaction() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let tx = db.begin().await;
    for sql in ["INSERT INTO t VALUES (1) RETURNING id", "EXPLAIN SELECT 1", "COMMIT", ""] {
        assert_eq!(stream(&tx, sql).await.unwrap_err().kind, PgErrorKind::Usage, "{sql}");
    }
    let mut empty = stream(&tx, "SELECT id FROM t").await.unwrap();
    assert_eq!(unpack_all(empty.columns()).to_string(), "(('id', 23, 'plain'),)");
    assert_eq!(empty.next().await.unwrap(), None);
    assert_eq!(tx.stream("SELECT $1::int", &pack(&[])).await.unwrap_err().kind, PgErrorKind::Usage);
    assert_eq!(tx_value(&tx, "SELECT 1").await, "1");
    let error = stream(&tx, "SELECT 1 FROM nothing").await.unwrap_err();
    let position = error.report.as_ref().unwrap().position;
    assert_eq!((error.sqlstate(), position), (Some("42P01"), Some(15)));
    tx.rollback().await.unwrap();
    assert_eq!(stream(&tx, "SELECT 1").await.unwrap_err().kind, PgErrorKind::Usage);
}

const MANY: &str = "SELECT id FROM t, generate_series(1, 10000)";

#[tokio::test]
async fn a_dropped_stream_lets_go_of_its_tables() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let tx = db.begin().await;
    run(&tx, "INSERT INTO t VALUES (1)").await;
    let held = stream(&tx, MANY).await.unwrap();
    let error = tx.query("ALTER TABLE t ADD x int", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("55006"), "it is held while it is streamed");
    tx.rollback().await.unwrap();
    drop(held);

    let tx = db.begin().await;
    run(&tx, "INSERT INTO t VALUES (1)").await;
    drop(stream(&tx, MANY).await.unwrap());
    run(&tx, "ALTER TABLE t ADD x int").await;
    // Gone already, with its savepoint.
    tx.savepoint("s").await.unwrap();
    let undone = stream(&tx, MANY).await.unwrap();
    tx.rollback_to("s").await.unwrap();
    drop(undone);
    run(&tx, "ALTER TABLE t ADD y int").await;
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(x) + count(y) FROM t", &[]).await, "0");
}

#[tokio::test]
async fn a_stream_ends_with_its_transaction() {
    let db = db_with(one_session()).await;
    table(&db).await;
    for end in ["commit", "rollback", "drop"] {
        let tx = db.begin().await;
        let mut left = stream(&tx, "SELECT generate_series(1, 10000)").await.unwrap();
        assert!(left.next().await.unwrap().is_some());
        match end {
            "commit" => tx.commit().await.unwrap(),
            "rollback" => tx.rollback().await.unwrap(),
            _ => drop(tx),
        }
        assert_eq!(left.next().await.unwrap_err().kind, PgErrorKind::Usage, "{end}");
        // The session is not the stream's.
        assert_eq!(count(&db).await, "0");
    }
}

#[tokio::test]
async fn a_failed_or_given_up_stream_stays_so() {
    let db = db_with(one_session()).await;
    let tx = db.begin().await;
    let mut failing = stream(&tx, "SELECT 1 / (i - 5000) FROM generate_series(1, 9000) i").await.unwrap();
    let error = loop {
        match failing.next().await {
            Ok(block) => assert!(block.is_some(), "it ended as if nothing were wrong"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.sqlstate(), Some("22012"));
    assert_eq!(failing.next().await.unwrap_err().kind, PgErrorKind::Usage);
    tx.rollback().await.unwrap();

    let tx = db.begin().await;
    let sql = "SELECT i, CASE WHEN i = 20 THEN pg_sleep(600) END FROM generate_series(1, 99) i";
    let mut slow = stream(&tx, sql).await.unwrap();
    slow.next().await.unwrap();
    assert!(futures::FutureExt::now_or_never(slow.next()).is_none());
    assert_eq!(slow.next().await.unwrap_err().kind, PgErrorKind::Usage);
    assert_eq!(tx.commit().await.unwrap_err().sqlstate(), Some("25P02"));

    let tx = db.begin().await;
    let patience = Duration::from_millis(300);
    let error = tx.within(patience).stream("SELECT pg_sleep(600)", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Timeout);
    drop(tx);
    gone(&db, "SELECT pg_sleep(600)").await;
}

#[tokio::test]
async fn a_copy_is_part_of_its_transaction() {
    let db = db_with(one_session()).await;
    table(&db).await;
    for (commit, stored) in [(false, "0"), (true, "3")] {
        let tx = db.begin().await;
        let mut copy = tx.copy_in("COPY t FROM STDIN").await.unwrap();
        copy.write(Bytes::from_static(b"1\n2\n")).await.unwrap();
        assert_eq!(copy.finish().await.unwrap(), 2);
        run(&tx, "INSERT INTO t VALUES (3)").await;
        let out: Vec<Bytes> = tx.copy_out("COPY t TO STDOUT").await.unwrap().try_collect().await.unwrap();
        assert_eq!(out.concat(), b"1\n2\n3\n");
        if commit {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        assert_eq!(count(&db).await, stored);
    }
}

#[tokio::test]
async fn other_calls_fail_while_a_copy_goes_on() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let tx = db.begin().await;
    let mut copy = tx.copy_in("COPY t FROM STDIN").await.unwrap();
    copy.write(Bytes::from_static(b"1\n")).await.unwrap();
    let usage = Some(PgErrorKind::Usage);
    let kind = |result: Result<(), PgError>| result.err().map(|error| error.kind);
    assert_eq!(kind(tx.query("SELECT 1", &pack(&[])).await.map(drop)), usage);
    assert_eq!(kind(tx.copy_in("COPY t FROM STDIN").await.map(drop)), usage);
    assert_eq!(kind(tx.copy_out("COPY t TO STDOUT").await.map(drop)), usage);
    assert_eq!(kind(stream(&tx, "SELECT 1").await.map(drop)), usage);
    assert_eq!(kind(tx.savepoint("a").await), usage);
    assert_eq!(kind(tx.commit().await), usage);
    copy.finish().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, "1");
}

#[tokio::test]
async fn an_aborted_copy_aborts_its_transaction_back_to_a_savepoint() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let tx = db.begin().await;
    run(&tx, "INSERT INTO t VALUES (1)").await;
    for sql in ["COPY t FROM STDIN", "COPY t FROM STDIN (FORMAT binary)", "COPY nothing FROM STDIN"] {
        tx.savepoint("s").await.unwrap();
        match tx.copy_in(sql).await {
            Ok(mut copy) => copy.write(Bytes::from_static(b"2\n")).await.unwrap(),
            Err(error) => assert_eq!(error.sqlstate(), Some("42P01")),
        }
        let error = tx.query("SELECT 1", &pack(&[])).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("25P02"), "{sql}");
        tx.rollback_to("s").await.unwrap();
    }
    drop(tx.copy_out("COPY (SELECT generate_series(1, 1000000)) TO STDOUT").await.unwrap());
    tx.rollback_to("s").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, "1");
}

#[tokio::test]
async fn a_copy_that_outlives_its_transaction_stores_nothing() {
    let db = db_with(one_session()).await;
    table(&db).await;
    for rolled_back in [true, false] {
        let tx = db.begin().await;
        let mut copy = tx.copy_in("COPY t FROM STDIN").await.unwrap();
        if rolled_back {
            tx.rollback().await.unwrap();
            assert_eq!(tx.rollback().await.unwrap_err().kind, PgErrorKind::Usage);
        }
        drop(tx);
        copy.write(Bytes::from_static(b"1\n")).await.unwrap();
        copy.finish().await.unwrap();
        eventually("it is rolled back", || async { count(&db).await == "0" }).await;
    }
}

#[tokio::test]
async fn what_flows_is_not_replayed() {
    let db = db().await;
    table(&db).await;
    let options = TransactionOptions { retries: 3, ..TransactionOptions::default() };
    for what in ["stream", "copy in", "copy out", "nothing"] {
        let tx = db.begin_with(options).await;
        match what {
            "stream" => drop(stream(&tx, "SELECT 1").await.unwrap()),
            "copy in" => drop(tx.copy_in("COPY t FROM STDIN").await.unwrap().finish().await.unwrap()),
            "copy out" => {
                let copy = tx.copy_out("COPY t TO STDOUT").await.unwrap();
                assert!(copy.try_collect::<Vec<_>>().await.unwrap().is_empty());
            }
            _ => {}
        }
        let fail = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$";
        let error = tx.query(fail, &pack(&[])).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("40001"), "{what}");
        assert_eq!(tx.retries(), if what == "nothing" { 3 } else { 0 }, "{what}");
        assert_eq!(error.message.contains("it has streamed rows or copied"), what != "nothing", "{error}");
    }
}

/// Guests' calls run on any thread.
#[test]
fn all_can_move_between_threads() {
    fn sends<T: Send>(_: fn(&'static Transaction) -> T) {}
    sends(|tx| tx.stream("", b""));
    sends(|tx| tx.copy_in(""));
    sends(|tx| tx.copy_out(""));
    fn is_send<T: Send + 'static>() {}
    is_send::<RowStream>();
    is_send::<fasterapi_postgres::CopyIn>();
    is_send::<fasterapi_postgres::CopyOut>();
    is_send::<fasterapi_postgres::Listener>();
}
