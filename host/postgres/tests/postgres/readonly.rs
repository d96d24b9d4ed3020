//! Grants that only read, and everything that a guest may try to write with one.

use fasterapi_postgres::{Format, Isolation, PgError, RowStream, TransactionOptions};
use futures::TryStreamExt;

use crate::{
    blocks::unpack_all,
    support::{Answer, Db, P, Py, db, db_with_config, one_session, pack, superuser, text, tx_value},
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

/// Ways out of a transaction that only reads.
const ATTEMPTS: &[&str] = &[
    "SET TRANSACTION READ WRITE",
    "SET transaction_read_only = off",
    "SET LOCAL transaction_read_only = off",
    "RESET transaction_read_only",
    "SET transaction_read_only TO DEFAULT",
    "SET LOCAL transaction_read_only TO DEFAULT",
    "SELECT set_config('transaction_read_only', NULL, true)",
    "RESET ALL",
    "DO $$ BEGIN EXECUTE 'RESET transaction_read_only'; INSERT INTO t VALUES (10); END $$",
    "SELECT with_setting()",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "UPDATE pg_settings SET setting = 'off' WHERE name LIKE '%transaction_read_only'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "DISCARD ALL",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; INSERT INTO t VALUES (2); END $$",
    "DO $$ BEGIN BEGIN SET TRANSACTION READ WRITE; EXCEPTION WHEN OTHERS THEN END; INSERT INTO t VALUES (3); END $$",
    "DO $$ BEGIN COMMIT; SET default_transaction_read_only = off; INSERT INTO t VALUES (4); COMMIT; END $$",
    "DO $$ BEGIN ROLLBACK; SET TRANSACTION READ WRITE; INSERT INTO t VALUES (5); COMMIT; END $$",
    "CALL writes()",
    "SELECT written()",
    "WITH w AS (INSERT INTO t VALUES (6) RETURNING i) SELECT i FROM w",
    "SELECT nextval('numbers')",
    "SELECT i FROM t FOR UPDATE",
    "CREATE TABLE u (i int)",
    "EXPLAIN ANALYZE INSERT INTO t VALUES (7)",
    INSERT,
];

/// A database with something to write to, and a grant of it that only reads.
async fn granted() -> (Db, Db) {
    let owner = db().await;
    for sql in [
        "CREATE TABLE t (i int)",
        "CREATE SEQUENCE numbers",
        "CREATE PROCEDURE writes() LANGUAGE plpgsql AS
            $$ BEGIN COMMIT; SET TRANSACTION READ WRITE; INSERT INTO t VALUES (8); COMMIT; END $$",
        "CREATE FUNCTION written() RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO t VALUES (9); RETURN 1; END $$",
        // Not since version 16.
        "DO $$ BEGIN
            CREATE FUNCTION with_setting() RETURNS int LANGUAGE plpgsql SET transaction_read_only = off AS
                'BEGIN INSERT INTO t VALUES (11); RETURN 1; END';
            EXCEPTION WHEN feature_not_supported THEN END $$",
    ] {
        owner.query(sql, &[]).await.unwrap();
    }
    let config = superuser().database(&owner.name).with_limits(one_session()).with_read_only(true);
    let reader = db_with_config(&owner.name, config);
    (owner, reader)
}

fn once(sql: &str) -> P {
    P::List(vec![text(sql), P::List(Vec::new())])
}

fn is_refused<T>(result: Result<T, PgError>, what: &str) {
    let state = result.err().and_then(|error| error.sqlstate().map(str::to_owned));
    assert_eq!(state.as_deref(), Some("25006"), "{what}");
}

async fn nothing_written(owner: &Db) {
    assert_eq!(owner.value("SELECT count(*) FROM t", &[]).await, "0");
    assert_eq!(owner.value("SELECT last_value FROM numbers", &[]).await, "1");
    assert_eq!(owner.value("SELECT to_regclass('u')", &[]).await, "None");
}

#[tokio::test]
async fn no_statement_of_its_own_writes() {
    let (owner, reader) = granted().await;
    let (reader, none) = (reader.database(), &pack(&[]));
    for sql in ATTEMPTS {
        // What it says is its own matter: what comes of it is nothing.
        let _ = reader.query(sql, none).await;
        is_refused(reader.query(INSERT, none).await, sql);
        let _ = reader.fetch(sql, none).await;
        is_refused(reader.fetch("INSERT INTO t VALUES (1) RETURNING i", none).await, sql);
        if let Ok(mut stream) = reader.stream(sql, none).await {
            while let Ok(Some(_)) = stream.next().await {}
        }
        let _ = reader.batch(&pack(&[once(sql), once(INSERT)])).await;
    }
    nothing_written(&owner).await;
}

/// Servers before version 16 let some attempts through, and what comes of them is undone at the end.
#[tokio::test]
async fn no_transaction_writes() {
    let (owner, reader) = granted().await;
    let (reader, none) = (reader.database(), &pack(&[]));
    let refuses =
        owner.value("SELECT current_setting('server_version_num')::int >= 160000", &[]).await == "True";
    for sql in ATTEMPTS {
        for isolation in [None, Some(Isolation::Serializable)] {
            let tx = reader.begin(TransactionOptions { isolation, ..Default::default() }).await.unwrap();
            tx.savepoint("s").await.unwrap();
            if tx.query(sql, none).await.is_err() {
                tx.rollback_to("s").await.unwrap();
            }
            let inserted = tx.query(INSERT, none).await;
            if !refuses && inserted.is_ok() {
                tx.commit().await.unwrap();
                continue;
            }
            is_refused(inserted, sql);
            tx.rollback_to("s").await.unwrap();
            is_refused(tx.batch(&pack(&[once(INSERT)])).await, sql);
            tx.rollback_to("s").await.unwrap();
            is_refused(tx.copy_in("COPY t FROM STDIN").await, sql);
            let _ = tx.commit().await;
        }
    }
    nothing_written(&owner).await;
}

#[tokio::test]
async fn nothing_that_flows_writes() {
    let (owner, reader) = granted().await;
    let (reader, none) = (reader.database(), &pack(&[]));
    is_refused(reader.copy_in("COPY t FROM STDIN").await, "copy in");
    is_refused(reader.stream("INSERT INTO t VALUES (1) RETURNING i", none).await, "stream");
    for format in [Format::Json, Format::NdJson, Format::Csv] {
        is_refused(reader.document("INSERT INTO t VALUES (1) RETURNING i", none, format).await, "document");
    }
    for sql in ["COPY (SELECT written()) TO STDOUT", "COPY (INSERT INTO t VALUES (1) RETURNING i) TO STDOUT"]
    {
        let copied = match reader.copy_out(sql).await {
            Ok(copy) => copy.try_collect::<Vec<_>>().await.map(drop),
            Err(error) => Err(error),
        };
        assert!(copied.is_err(), "{sql}");
    }
    nothing_written(&owner).await;
}

#[tokio::test]
async fn reading_goes_on_in_every_way() {
    let (owner, reader) = granted().await;
    owner.query("INSERT INTO t SELECT generate_series(1, 100000)", &[]).await.unwrap();
    let (grant, none) = (reader.database(), &pack(&[]));
    let pid = reader.value("SELECT pg_backend_pid()", &[]).await;
    let all = "SELECT i, repeat('x', 50) FROM t";
    assert_eq!(reader.query(all, &[]).await.unwrap().rows.len(), 100_000);
    // More than comes at once, and a second use while nothing of it is left.
    let (first, rest) = grant.fetch(all, none).await.unwrap();
    let first = Answer::read(&first).rows.len();
    assert!(first < 100_000);
    assert_eq!(first + count(rest.unwrap()).await, 100_000);
    assert_eq!(count(grant.stream(all, none).await.unwrap()).await, 100_000);
    // Given up half-way.
    let (_, rest) = grant.fetch(all, none).await.unwrap();
    drop(rest);
    let mut stream = grant.stream(all, none).await.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    let copy = grant.copy_out("COPY t TO STDOUT").await.unwrap();
    assert!(copy.try_collect::<Vec<_>>().await.unwrap().concat().len() > 500_000);
    assert_eq!(reader.value("SELECT count(*) FROM t", &[]).await, "100000");
    let tx = grant.begin(TransactionOptions::default()).await.unwrap();
    assert_eq!(tx_value(&tx, "SELECT count(*) FROM t").await, "100000");
    tx.commit().await.unwrap();
    assert_eq!(reader.value("SELECT pg_backend_pid()", &[]).await, pid, "one session served all of it");
}

async fn count(mut stream: RowStream) -> usize {
    let mut count = 0;
    while let Some(block) = stream.next().await.unwrap() {
        let Py::List(rows) = unpack_all(&block) else { panic!("no rows") };
        count += rows.len();
    }
    count
}

#[tokio::test]
async fn a_grant_that_writes_is_not_held_back() {
    let (owner, _) = granted().await;
    let other = owner.another();
    let writer = other.database();
    writer.query("SET TRANSACTION READ WRITE", &pack(&[])).await.unwrap();
    writer.query(INSERT, &pack(&[])).await.unwrap();
    assert_eq!(owner.value("SELECT count(*) FROM t", &[]).await, "1");
}
