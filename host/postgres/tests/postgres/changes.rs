//! Definitions that change while sessions have statements prepared on them.

use std::{slice::from_ref, sync::Arc};

use fasterapi_postgres::{PgErrorKind, PoolLimits, RowStream, TransactionOptions};

use crate::{
    blocks::unpack_all,
    support::{Answer, Db, P, Py, db_with, one_session, pack, text, tx_value},
};

const ALL: &str = "SELECT * FROM t";

/// A table of one column and one row, on whose rows a statement is kept; and someone else who may change it.
async fn kept(limits: PoolLimits) -> (Db, Db) {
    let db = db_with(limits).await;
    db.query("CREATE TABLE t (a int)", &[]).await.unwrap();
    db.query("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    assert_eq!(db.values(ALL, &[]).await, ["1"]);
    let other = db.another();
    (db, other)
}

async fn alter(db: &Db) {
    db.query("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'", &[]).await.unwrap();
}

fn row(block: &[u8]) -> Vec<String> {
    Answer::read(block).rows.iter().flatten().map(ToString::to_string).collect()
}

fn once(sql: &str) -> P {
    P::List(vec![text(sql), P::List(Vec::new())])
}

#[tokio::test]
async fn a_statement_of_its_own_is_prepared_anew() {
    let (db, other) = kept(one_session()).await;
    alter(&other).await;
    assert_eq!(db.values(ALL, &[]).await, ["1", "'x'"]);
}

#[tokio::test]
async fn a_batch_is_run_anew() {
    let (db, other) = kept(one_session()).await;
    alter(&other).await;
    let items = [once("INSERT INTO t VALUES (2)"), once(ALL)];
    let block = db.database().batch(&pack(&items)).await.unwrap();
    let answers = Answer::read_all(&block);
    assert_eq!((answers[1].rows.len(), answers[1].columns.len()), (2, 2));
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "2");
}

/// A type that is not any more what the session took it for is found when a value is read, not before.
#[tokio::test]
async fn a_batch_is_run_anew_with_types_as_they_are() {
    let db = db_with(one_session()).await;
    for sql in [
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TABLE pairs (p pair)",
        "INSERT INTO pairs VALUES ((1, 'x'))",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let items = pack(&[once("INSERT INTO pairs VALUES (NULL)"), once("SELECT p FROM pairs")]);
    db.database().batch(&items).await.unwrap();
    db.another().query("ALTER TYPE pair ADD ATTRIBUTE c int", &[]).await.unwrap();
    let block = db.database().batch(&items).await.unwrap();
    assert_eq!(Answer::read_all(&block)[1].rows.len(), 3);
    assert_eq!(db.value("SELECT count(*) FROM pairs", &[]).await, "3");
}

#[tokio::test]
async fn the_first_statement_of_a_transaction_is_run_anew() {
    let (db, other) = kept(one_session()).await;
    alter(&other).await;
    let tx = db.begin().await;
    assert_eq!(row(&tx.query(ALL, &pack(&[])).await.unwrap()), ["1", "'x'"]);
    assert_eq!((tx.retries(), tx.replays()), (0, 0));
    tx.query("INSERT INTO t VALUES (2, 'y')", &pack(&[])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "2");

    other.query("ALTER TABLE t ADD COLUMN c int", &[]).await.unwrap();
    let tx = db.begin().await;
    let block = tx.batch(&pack(&[once("INSERT INTO t VALUES (3)"), once(ALL)])).await.unwrap();
    assert_eq!(Answer::read_all(&block)[1].rows.len(), 3);
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "3");
}

#[tokio::test]
async fn a_transaction_with_retries_is_replayed() {
    let (db, other) = kept(one_session()).await;
    db.query("CREATE TABLE notes (note text)", &[]).await.unwrap();
    let tx = db.begin_with(TransactionOptions { retries: 1, ..Default::default() }).await;
    tx.query("INSERT INTO notes VALUES ('once')", &pack(&[])).await.unwrap();
    alter(&other).await;
    assert_eq!(row(&tx.query(ALL, &pack(&[])).await.unwrap()), ["1", "'x'"]);
    // Its retries are for what they were asked for.
    assert_eq!((tx.retries(), tx.replays()), (0, 0));
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT note FROM notes", &[]).await, ["'once'"]);
}

/// What cannot be begun anew unseen fails so that the guest may do it again; and not twice for one change.
#[tokio::test]
async fn a_transaction_without_retries_fails_once() {
    let (db, other) = kept(one_session()).await;
    let other_text = "SELECT a.* FROM t AS a";
    db.value(other_text, &[]).await;
    alter(&other).await;
    let tx = db.begin().await;
    tx_value(&tx, "SELECT 1").await;
    let error = tx.query(ALL, &pack(&[])).await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate(), error.retryable), (PgErrorKind::Database, Some("0A000"), true));
    tx.rollback().await.unwrap();
    for sql in [ALL, other_text] {
        let tx = db.begin().await;
        tx_value(&tx, "SELECT 1").await;
        assert_eq!(row(&tx.query(sql, &pack(&[])).await.unwrap()), ["1", "'x'"], "{sql}");
    }
}

/// What one session of the pool does or meets, all of them know.
#[tokio::test]
async fn a_change_by_the_same_pool_fails_no_transaction() {
    let (db, _) = kept(PoolLimits { max_size: 2.try_into().unwrap(), ..PoolLimits::default() }).await;
    let (one, two) = (db.begin().await, db.begin().await);
    tx_value(&one, ALL).await;
    tx_value(&two, ALL).await;
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    let (one, two) = (db.begin().await, db.begin().await);
    tx_value(&one, "SELECT 1").await;
    two.query("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'", &pack(&[])).await.unwrap();
    two.commit().await.unwrap();
    assert_eq!(row(&one.query(ALL, &pack(&[])).await.unwrap()), ["1", "'x'"]);
    one.commit().await.unwrap();
}

#[tokio::test]
async fn what_streams_and_what_is_under_variables_is_prepared_anew() {
    let (db, other) = kept(one_session()).await;
    let (under, none) = (db.database().with_variables(Arc::new([("app.x".into(), "1".into())])), &pack(&[]));
    for n in 0..4 {
        db.value(ALL, &[]).await;
        other.query(&format!("ALTER TABLE t ADD COLUMN c{n} int DEFAULT {n}"), &[]).await.unwrap();
        let seen = match n {
            0 => row(&under.query(ALL, none).await.unwrap()).len(),
            1 => row(&under.fetch(ALL, none).await.unwrap().0).len(),
            2 => width(under.stream(ALL, none).await.unwrap()).await,
            _ => {
                let tx = db.begin().await;
                tx_value(&tx, "SELECT 1").await;
                width(tx.stream(ALL, none).await.unwrap()).await
            }
        };
        assert_eq!(seen, n + 2);
    }
}

/// The columns of a stream of one row.
async fn width(mut stream: RowStream) -> usize {
    let Py::Tuple(columns) = unpack_all(stream.columns()) else { panic!("no columns") };
    let Py::List(rows) = unpack_all(&stream.next().await.unwrap().unwrap()) else { panic!("no rows") };
    assert!(matches!(&rows[..], [Py::Tuple(row)] if row.len() == columns.len()), "{rows:?}");
    columns.len()
}

/// A column's new type is met by the first statement that has a value of it, whatever type the kept one takes.
#[tokio::test]
async fn parameters_of_another_type_are_prepared_anew() {
    let (insert, find) = ("INSERT INTO t VALUES ($1)", "SELECT a FROM t WHERE a = $1");
    let changes =
        [("text", text("one")), ("int USING 7", P::Int(7)), ("date USING '2026-01-02'", text("2026-01-03"))];
    for place in 0..4 {
        let (db, other) = kept(one_session()).await;
        let under = db.database().with_variables(Arc::new([("app.x".into(), "1".into())]));
        for (change, value) in &changes {
            let params = || pack(from_ref(value));
            db.query(insert, &[P::None]).await.unwrap();
            db.query(find, &[P::None]).await.unwrap();
            other.query(&format!("ALTER TABLE t ALTER a TYPE {change}"), &[]).await.unwrap();
            let found = match place {
                0 => {
                    db.query(insert, from_ref(value)).await.unwrap();
                    db.database().query(find, &params()).await.unwrap()
                }
                1 => {
                    under.query(insert, &params()).await.unwrap();
                    under.query(find, &params()).await.unwrap()
                }
                // The server has aborted the transaction, but the next one knows.
                2 => {
                    let tx = db.begin().await;
                    if tx.query(insert, &params()).await.is_err() {
                        tx.rollback().await.unwrap();
                        db.query(insert, from_ref(value)).await.unwrap();
                    } else {
                        tx.commit().await.unwrap();
                    }
                    db.database().query(find, &params()).await.unwrap()
                }
                // So has it a batch.
                _ => {
                    let items = [P::List(vec![text(insert), P::List(vec![value.clone()])])];
                    let _ = db.database().batch(&pack(&items)).await;
                    db.database().batch(&pack(&items)).await.unwrap();
                    db.database().query(find, &params()).await.unwrap()
                }
            };
            assert!(!row(&found).is_empty(), "{place}, {change}");
        }
        // What is wrong stays so, and is told as it was.
        for _ in 0..2 {
            let error = db.query(find, &[text("no date")]).await.unwrap_err();
            assert_eq!(error.sqlstate(), Some("22007"));
            let error = db.query(find, &[P::Int(1)]).await.unwrap_err();
            assert_eq!(error.kind, PgErrorKind::Usage);
        }
        assert_eq!(db.value("SELECT 1", &[]).await, "1");
    }
}
