//! Batches: one transaction, one round trip, all or nothing.

use std::time::{Duration, Instant};

use fasterapi_postgres::{Isolation, PgError, PgErrorKind, PoolLimits, TransactionOptions};

use crate::support::{Answer, Db, P, db_with, eventually, one_session, pack, text, tx_value};

/// A statement and its sets of parameters, as an item of a batch.
fn item(sql: &str, sets: impl IntoIterator<Item = Vec<P>>) -> P {
    P::List(std::iter::once(text(sql)).chain(sets.into_iter().map(P::List)).collect())
}

/// A statement without parameters, run once.
fn once(sql: &str) -> P {
    item(sql, [vec![]])
}

const INSERT: &str = "INSERT INTO t VALUES ($1, $2)";

fn inserts(ids: impl IntoIterator<Item = i128>) -> P {
    item(INSERT, ids.into_iter().map(|id| vec![P::Int(id), text(&format!("n{id}"))]))
}

async fn table() -> Db {
    table_with(one_session()).await
}

async fn table_with(limits: PoolLimits) -> Db {
    let db = db_with(limits).await;
    db.query("CREATE TABLE t (id int PRIMARY KEY, name text)", &[]).await.unwrap();
    db
}

async fn batch(db: &Db, items: &[P]) -> Result<Vec<Answer>, PgError> {
    db.database().batch(&pack(items)).await.map(|block| Answer::read_all(&block))
}

async fn count(db: &Db) -> String {
    db.value("SELECT count(*) FROM t", &[]).await
}

fn rows(answer: &Answer) -> Vec<String> {
    answer.rows.iter().flatten().map(ToString::to_string).collect()
}

#[tokio::test]
async fn each_item_has_its_result() {
    let db = table().await;
    let answers = batch(
        &db,
        &[
            inserts([1, 2, 3]),
            once("UPDATE t SET name = upper(name) WHERE id > 1"),
            item("SELECT id, name FROM t WHERE id = $1", [vec![P::Int(2)], vec![P::Int(9)], vec![P::Int(1)]]),
            item("DELETE FROM t WHERE id = $1 RETURNING id", []),
            inserts([4]),
            item("DELETE FROM t WHERE id = $1 RETURNING id", [vec![P::Int(4)], vec![P::Int(1)]]),
        ],
    )
    .await
    .unwrap();
    let affected: Vec<_> = answers.iter().map(|answer| answer.affected).collect();
    assert_eq!(affected, [3, 2, 2, 0, 1, 2]);
    let all: Vec<_> = answers.iter().map(rows).collect();
    assert_eq!(all, [&[][..], &[], &["2", "'N2'", "1", "'n1'"], &[], &[], &["4", "1"]]);
    let columns: Vec<_> = answers.iter().map(|answer| answer.columns.len()).collect();
    assert_eq!(columns, [0, 0, 2, 1, 0, 1]);
    assert_eq!(db.values("SELECT id FROM t ORDER BY id", &[]).await, ["2", "3"]);
}

#[tokio::test]
async fn nothing_is_a_batch_too() {
    let db = table().await;
    assert!(batch(&db, &[]).await.unwrap().is_empty());
    assert_eq!(batch(&db, &[inserts([])]).await.unwrap().len(), 1);
    assert_eq!(count(&db).await, "0");
}

#[tokio::test]
async fn a_failure_names_its_place_and_undoes_all() {
    let db = table().await;
    // In a statement, at the first and at a later set; with rows, so that COMMIT is not sent ahead; and at COMMIT.
    db.query("CREATE TABLE u (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED)", &[]).await.unwrap();
    let cases: [(&[P], &str, &str); 5] = [
        (
            &[inserts([1, 2]), inserts([3, 4, 2]), inserts([5])],
            "23505",
            "item 1, parameters 2: duplicate key",
        ),
        (&[inserts([1]), once("SELECT 1 / (SELECT 0)")], "22012", "item 1: division by zero"),
        (
            &[inserts([1]), item("INSERT INTO t VALUES ($1) RETURNING id", [vec![P::Int(1)]]), inserts([2])],
            "23505",
            "item 1: duplicate key",
        ),
        (
            &[inserts([1]), once("SELECT * FROM missing"), once("SELECT * FROM other")],
            "42P01",
            "item 1: relation \"missing\"",
        ),
        (&[inserts([1]), once("INSERT INTO u VALUES (7)")], "23503", "insert or update on table \"u\""),
    ];
    for (items, sqlstate, message) in cases {
        let error = batch(&db, items).await.unwrap_err();
        assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Database, Some(sqlstate)));
        assert!(error.message.starts_with(message), "{error}");
        assert_eq!(count(&db).await, "0", "{error}");
    }
    assert_eq!(
        db.value("SELECT pg_backend_pid()", &[]).await,
        db.value("SELECT pg_backend_pid()", &[]).await
    );
}

#[tokio::test]
async fn a_wrong_call_is_told_before_anything_runs() {
    let limits = PoolLimits { max_parameter_bytes: 1 << 16, ..one_session() };
    let db = table_with(limits).await;
    db.query("CREATE SEQUENCE run", &[]).await.unwrap();
    let touch = || once("SELECT nextval('run')");
    let many: Vec<P> = (0..1001).map(|_| once("SELECT 1")).collect();
    let large = item("SELECT $1::text", [vec![text(&"x".repeat(1 << 16))]]);
    let cases: [(&[P], &str); 14] = [
        (
            &[touch(), P::Int(1)],
            "item 1: an item of a batch is a tuple that begins with its statement, not with int",
        ),
        (
            &[P::List(vec![])],
            "item 0: an item of a batch is a tuple that begins with its statement, not with nothing",
        ),
        (
            &[P::List(vec![P::Int(1)])],
            "item 0: an item of a batch is a tuple that begins with its statement, not with int",
        ),
        (
            &[touch(), P::List(vec![text("SELECT $1::int"), P::Int(1)])],
            "item 1: a set of parameters is a tuple, not int",
        ),
        (
            &[touch(), item(INSERT, [vec![P::Int(1), P::None], vec![P::Int(2)]])],
            "item 1, parameters 1: the statement takes 2 parameters, 1 were given",
        ),
        (
            &[touch(), item(INSERT, [vec![text("1"), text("a")], vec![P::Bool(true), P::None]])],
            "item 1, parameters 1: $1: the value is of the wrong kind (bool for type int4)",
        ),
        (
            &[touch(), item(INSERT, [vec![P::Int(1 << 40), P::None]])],
            "item 1: $1: the value is out of range (int for type int4)",
        ),
        (&[touch(), once("COMMIT")], "item 1: `commit` is no statement of its own here"),
        (
            &[touch(), once("savepoint x")],
            "item 1: savepoints have no place in a batch, which is all or nothing",
        ),
        (
            &[touch(), once("/* */ ROLLBACK TO x")],
            "item 1: savepoints have no place in a batch, which is all or nothing",
        ),
        (
            &[touch(), once("release x")],
            "item 1: savepoints have no place in a batch, which is all or nothing",
        ),
        (&[touch(), once("COPY t FROM STDIN")], "item 1: copy from or to the client"),
        (&many, "a batch of 1001 statements: at most 1000 are allowed"),
        (&[large], "the parameters take 6"),
    ];
    for (items, message) in cases {
        let error = batch(&db, items).await.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Usage, "{error:?}");
        assert!(error.message.starts_with(message), "{error}");
    }
    assert_eq!(db.value("SELECT is_called FROM run", &[]).await, "False");
    assert_eq!(batch(&db, &many[..1000]).await.unwrap().len(), 1000);
}

/// 100,000 sets go through in windows; the answers, larger together than any buffer, are read meanwhile.
#[tokio::test]
async fn a_long_batch_neither_blocks_nor_stops() {
    let db = table().await;
    let long =
        item("INSERT INTO t VALUES ($1) RETURNING repeat('x', 100)", (0..100_000).map(|id| vec![P::Int(id)]));
    let answers = batch(&db, &[long]).await.unwrap();
    assert_eq!((answers[0].affected, answers[0].rows.len()), (100_000, 100_000));
    assert_eq!(count(&db).await, "100000");
    // And one that fails near its end.
    let error = batch(&db, &[inserts(100_000..150_000), inserts([0])]).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert_eq!(count(&db).await, "100000");
}

#[tokio::test]
async fn one_limit_holds_for_all_results() {
    let db = table_with(PoolLimits { max_result_bytes: 100_000, ..one_session() }).await;
    let rows = |sql: &str, each: usize| item(sql, (0..each as i128).map(|id| vec![P::Int(id)]));
    const WIDE: &str = "INSERT INTO t VALUES ($1) RETURNING repeat('x', 1000)";
    for (items, fits) in [
        (vec![rows(WIDE, 60), rows("SELECT repeat('x', 1000), $1::int", 30)], true),
        (vec![rows(WIDE, 60), rows("SELECT repeat('x', 1000), $1::int", 60)], false),
        (vec![rows(WIDE, 120)], false),
        (vec![rows("SELECT repeat('x', 1000), $1::int", 120)], false),
        (vec![inserts([1]), rows("SELECT repeat('x', 1000), $1::int", 120)], false),
        (vec![inserts([1]), once("SELECT repeat('x', 3000000)")], false),
        // Heads count too.
        (
            (0..1000)
                .map(|_| once("SELECT 1 AS a_rather_long_name, 2 AS another_rather_long_name"))
                .collect(),
            false,
        ),
    ] {
        let done = batch(&db, &items).await;
        if fits {
            assert_eq!(done.unwrap()[0].rows.len(), 60);
            assert_eq!(count(&db).await, "60");
            db.query("DELETE FROM t", &[]).await.unwrap();
            continue;
        }
        let error = done.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::TooLarge, "{error:?}");
        assert!(
            error.message.ends_with("the result is over the limit of 100000 bytes for one block"),
            "{error}"
        );
        assert_eq!(count(&db).await, "0", "nothing of it is applied");
    }
}

#[tokio::test]
async fn a_batch_given_up_or_late_has_not_happened() {
    let db =
        table_with(PoolLimits { statement_timeout: Duration::from_millis(300), ..PoolLimits::default() })
            .await;
    let slow = "SELECT pg_sleep(600) -- batch";
    let error = batch(&db, &[inserts([1]), once(slow)]).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Timeout);
    let running = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1 AND datname = current_database()";
        db.value(sql, &[text(slow)]).await == "1"
    };
    eventually("it is cancelled", async || !running().await).await;
    assert_eq!(count(&db).await, "0");
    let patient = db_with(PoolLimits::default()).await;
    patient.query("CREATE TABLE t (id int PRIMARY KEY, name text)", &[]).await.unwrap();
    {
        let items = [inserts([1]), once(slow)];
        let call = batch(&patient, &items);
        let runs = eventually("it runs", async || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1 AND datname = current_database()";
            patient.value(sql, &[text(slow)]).await == "1"
        });
        tokio::select! {
            _ = call => panic!("it ended"),
            () = runs => {}
        }
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()";
    eventually("it is rolled back", async || patient.value(open, &[]).await == "0").await;
    assert_eq!(count(&patient).await, "0");
}

#[tokio::test]
async fn batches_dropped_at_any_moment_leave_the_session_whole() {
    let db = table().await;
    for round in 0..200_u64 {
        let items = [inserts((0..50).map(|n| n + i128::from(round) * 1000)), once("SELECT count(*) FROM t")];
        let block = pack(&items);
        let database = db.database();
        let _ = tokio::time::timeout(Duration::from_micros(round * 40), database.batch(&block)).await;
        assert_eq!(db.value("SELECT $1::int8", &[P::Int(round.into())]).await, round.to_string());
        let here = format!("SELECT count(*) FROM t WHERE id / 1000 = {round}");
        let applied = db.value(&here, &[]).await;
        assert!(["0", "50"].contains(&applied.as_str()), "{applied} of 50");
    }
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing_half_done() {
    let db = table().await;
    let error =
        batch(&db, &[inserts([1]), once("SELECT pg_terminate_backend(pg_backend_pid())")]).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Connection);
    assert_eq!(count(&db).await, "0");
    // COMMIT was sent with the rest: the host cannot know.
    let die = "DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$";
    let error = batch(&db, &[inserts([1]), once(die)]).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, false), "{error:?}");
    assert!(error.message.contains("whether the server committed is unknown"), "{error}");
    assert_eq!(count(&db).await, "0");
    // A session that died before is replaced unseen.
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let other = crate::support::db_on(crate::support::server(), one_session()).await;
    other.value(&format!("SELECT pg_terminate_backend({pid})"), &[]).await;
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    eventually("it is gone", async || other.value(&sql, &[]).await == "0").await;
    batch(&db, &[inserts([1])]).await.unwrap();
    assert_eq!(count(&db).await, "1");
}

#[tokio::test]
async fn what_a_batch_leaves_behind_is_reset() {
    let db = table().await;
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    batch(&db, &[once("SET search_path = leaked"), once("SELECT 1")]).await.unwrap();
    assert_eq!(db.value("SELECT current_setting('search_path')", &[]).await, "'\"$user\", public'");
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
    batch(&db, &[once("PREPARE leaked AS SELECT 1")]).await.unwrap();
    assert_ne!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
}

#[tokio::test]
async fn a_batch_within_a_transaction_is_part_of_it() {
    let db = table_with(PoolLimits::default()).await;
    let tx = db.begin().await;
    let answers = tx.batch(&pack(&[inserts([1, 2]), once("SELECT count(*) FROM t")])).await.unwrap();
    assert_eq!(rows(&Answer::read_all(&answers)[1]), ["2"]);
    assert_eq!(count(&db).await, "0");
    tx.savepoint("s").await.unwrap();
    let error = tx.batch(&pack(&[inserts([3]), inserts([4, 1])])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert!(error.message.starts_with("item 1, parameters 1: "), "{error}");
    assert_eq!(tx.query("SELECT 1", &pack(&[])).await.unwrap_err().sqlstate(), Some("25P02"));
    tx.rollback_to("s").await.unwrap();
    let error =
        tx.batch(&pack(&[inserts([3]), item(INSERT, [vec![P::Int(1 << 40), P::None]])])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    tx.batch(&pack(&[inserts([5])])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT id FROM t ORDER BY id", &[]).await, ["1", "2", "5"]);
}

/// How far such a batch came is not known, so nothing of its transaction may stay.
#[tokio::test]
async fn a_batch_cut_short_undoes_its_transaction() {
    let db = table_with(PoolLimits { max_result_bytes: 100_000, ..PoolLimits::default() }).await;
    for given_up in [false, true] {
        let tx = db.begin().await;
        if given_up {
            let block = pack(&[inserts([1]), once("SELECT pg_sleep(600) -- cut short")]);
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%-- cut short' AND pid <> pg_backend_pid()";
            tokio::select! {
                _ = tx.batch(&block) => panic!("it ended"),
                () = eventually("it runs", async || db.value(sql, &[]).await == "1") => {}
            }
        } else {
            let block = pack(&[
                inserts([1]),
                item("SELECT repeat('x', 1000), $1::int", (0..200).map(|n| vec![P::Int(n)])),
            ]);
            assert_eq!(tx.batch(&block).await.unwrap_err().kind, PgErrorKind::TooLarge);
        }
        assert_eq!(tx.query("SELECT 1", &pack(&[])).await.unwrap_err().sqlstate(), Some("25P02"));
        assert_eq!(tx.commit().await.unwrap_err().sqlstate(), Some("25P02"));
        assert_eq!(count(&db).await, "0");
    }
}

#[tokio::test]
async fn a_batch_is_replayed_with_its_transaction() {
    let db = table_with(PoolLimits::default()).await;
    db.query("CREATE TABLE u (id int)", &[]).await.unwrap();
    let options =
        TransactionOptions { isolation: Some(Isolation::Serializable), retries: 2, ..Default::default() };
    let tx = db.begin_with(options).await;
    tx_value(&tx, "SELECT count(*) FROM t").await;
    tx.batch(&pack(&[once("INSERT INTO u VALUES (1)"), once("SELECT id FROM u")])).await.unwrap();
    let other = db.begin_with(options).await;
    tx_value(&other, "SELECT count(*) FROM u").await;
    // Twice, so that the number of rows stays what the other has read.
    other.batch(&pack(&[inserts([7]), once("DELETE FROM t WHERE id = 7")])).await.unwrap();
    other.commit().await.unwrap();
    // The failure meets a batch.
    tx.batch(&pack(&[inserts([1]), inserts([2, 3])])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tx.replays(), 1);
    assert_eq!((count(&db).await, db.value("SELECT count(*) FROM u", &[]).await), ("3".into(), "1".into()));
}

#[tokio::test]
async fn a_serialization_failure_of_a_batch_is_retryable() {
    let db = table_with(PoolLimits::default()).await;
    let failing = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$";
    let error = batch(&db, &[inserts([1]), once(failing)]).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.retryable), (Some("40001"), true));
    assert_eq!(count(&db).await, "0");
}

/// `cargo test -p fasterapi-postgres --test postgres -- --ignored --nocapture executemany`
#[tokio::test]
#[ignore = "measures, asserts nothing"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
async fn executemany_beside_single_queries() {
    let db = table().await;
    let warm = batch(&db, &[inserts([-1])]).await;
    assert!(warm.is_ok());
    for round in 0..5_i128 {
        let ids = move |part: i128| (0..1000).map(move |n| (round * 3 + part) * 1000 + n);
        let start = Instant::now();
        batch(&db, &[inserts(ids(0))]).await.unwrap();
        let many = start.elapsed();
        let start = Instant::now();
        let tx = db.begin().await;
        for id in ids(1) {
            tx.query(INSERT, &pack(&[P::Int(id), text("n")])).await.unwrap();
        }
        tx.commit().await.unwrap();
        let within = start.elapsed();
        let start = Instant::now();
        for id in ids(2) {
            db.query(INSERT, &[P::Int(id), text("n")]).await.unwrap();
        }
        println!(
            "1,000 inserts: batch {many:?}, in a transaction {within:?}, each its own {:?}",
            start.elapsed()
        );
    }
    let start = Instant::now();
    batch(&db, &[inserts(1_000_000..1_100_000)]).await.unwrap();
    println!("100,000 inserts: batch {:?}", start.elapsed());
}
