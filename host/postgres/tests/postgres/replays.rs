//! Transactions that the server could not serialize, and that the host runs again.
//!
//! Failures are forced, not waited for: two serializable transactions that read what the other writes (write skew; one
//! of them must fail), or two that lock the same rows in turn.

use fasterapi_postgres::{Isolation, PgError, PgErrorKind, PoolLimits, Transaction, TransactionOptions};

use crate::support::{Answer, Db, P, db_with, eventually, pack, text, tx_value};

/// Accounts 1 and 2 with 100 each, and a log of what was done.
async fn accounts() -> Db {
    accounts_with(PoolLimits::default()).await
}

async fn accounts_with(limits: PoolLimits) -> Db {
    let db = db_with(limits).await;
    for sql in [
        "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)",
        "INSERT INTO accounts VALUES (1, 100), (2, 100)",
        "CREATE TABLE notes (note text)",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    db
}

fn serializable(retries: u32) -> TransactionOptions {
    TransactionOptions { isolation: Some(Isolation::Serializable), retries, ..Default::default() }
}

async fn run(tx: &Transaction, sql: &str) -> Result<Vec<String>, PgError> {
    let block = tx.query(sql, &pack(&[])).await?;
    Ok(Answer::read(&block).rows.iter().flatten().map(ToString::to_string).collect())
}

/// Commits another transaction, which read all notes and writes one: the open ones that read notes and write one can
/// then only come before it, and must not have read what it wrote.
async fn interfere(db: &Db, sql: &str) {
    let other = db.begin_with(serializable(0)).await;
    run(&other, "SELECT count(*) FROM notes").await.unwrap();
    run(&other, sql).await.unwrap();
    other.commit().await.unwrap();
}

/// Makes `tx`, which has read the balance of account 2, fail at what it does next: another transaction reads the notes,
/// to which `tx` will write or has written, changes something in accounts and commits.
async fn doom(db: &Db, tx: &Transaction) {
    run(tx, "INSERT INTO notes VALUES ('mine')").await.unwrap();
    // Between them they have read what the other wrote: a cycle, whatever the values.
    interfere(db, "UPDATE accounts SET balance = balance WHERE id = 2").await;
}

const READ_TWO: &str = "SELECT balance FROM accounts WHERE id = 2";

#[tokio::test]
async fn a_failure_at_a_statement_is_replayed_unseen() {
    let db = accounts().await;
    let tx = db.begin_with(serializable(3)).await;
    assert_eq!(run(&tx, READ_TWO).await.unwrap(), ["100"]);
    doom(&db, &tx).await;
    assert_eq!(
        run(&tx, "UPDATE accounts SET balance = 50 WHERE id = 1 RETURNING balance").await.unwrap(),
        ["50"]
    );
    assert_eq!((tx.retries(), tx.replays()), (1, 1));
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT note FROM notes", &[]).await, ["'mine'"]);
    assert_eq!(db.value("SELECT balance FROM accounts WHERE id = 1", &[]).await, "50");
}

#[tokio::test]
async fn a_replay_has_the_hosts_variables() {
    let db = accounts().await;
    let under = db.database().with_variables(std::sync::Arc::new([("app.tenant_id".into(), "mine".into())]));
    let tx = under.begin(serializable(3)).await.unwrap();
    run(&tx, READ_TWO).await.unwrap();
    doom(&db, &tx).await;
    let sql = "UPDATE accounts SET balance = 50 WHERE id = 1 RETURNING current_setting('app.tenant_id')";
    assert_eq!(run(&tx, sql).await.unwrap(), ["'mine'"]);
    assert_eq!(tx.replays(), 1);
    assert_eq!(run(&tx, "SELECT current_setting('app.tenant_id')").await.unwrap(), ["'mine'"]);
    tx.commit().await.unwrap();
}

/// The twin of the one above: without retries the same is the guest's failure.
#[tokio::test]
async fn without_retries_a_failure_is_the_servers_own() {
    let db = accounts().await;
    let tx = db.begin_with(serializable(0)).await;
    run(&tx, READ_TWO).await.unwrap();
    doom(&db, &tx).await;
    let error = run(&tx, "UPDATE accounts SET balance = 50 WHERE id = 1").await.unwrap_err();
    assert_eq!((error.sqlstate(), error.retryable), (Some("40001"), true));
    assert!(!error.message.contains("replayed"), "{error}");
    assert_eq!((tx.retries(), tx.replays()), (0, 0));
    assert_eq!(run(&tx, "SELECT 1").await.unwrap_err().sqlstate(), Some("25P02"));
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_failure_at_commit_is_replayed_unseen() {
    let db = accounts().await;
    let tx = db.begin_with(serializable(3)).await;
    run(&tx, READ_TWO).await.unwrap();
    doom(&db, &tx).await;
    tx.commit().await.unwrap();
    assert_eq!((tx.retries(), tx.replays()), (1, 1));
    assert_eq!(db.values("SELECT note FROM notes", &[]).await, ["'mine'"]);
    assert_eq!(tx.commit().await.unwrap_err().kind, PgErrorKind::Usage);
}

#[tokio::test]
async fn a_replay_that_reads_differently_is_an_error() {
    for at_commit in [true, false] {
        let db = accounts().await;
        let tx = db.begin_with(serializable(3)).await;
        run(&tx, "SELECT 'first'").await.unwrap();
        assert_eq!(run(&tx, READ_TWO).await.unwrap(), ["100"]);
        run(&tx, "INSERT INTO notes VALUES ('mine')").await.unwrap();
        interfere(&db, "UPDATE accounts SET balance = 10 WHERE id = 2").await;
        let error = if at_commit {
            tx.commit().await.unwrap_err()
        } else {
            run(&tx, "UPDATE accounts SET balance = 0 WHERE id = 1").await.unwrap_err()
        };
        assert_eq!(
            (error.kind, error.sqlstate(), error.retryable),
            (PgErrorKind::Database, Some("40001"), true)
        );
        assert!(
            error.message.ends_with("the transaction was replayed, and its statement 2 read differently")
        );
        assert_eq!((tx.retries(), tx.replays()), (1, 0));
        if at_commit {
            assert_eq!(tx.rollback().await.unwrap_err().kind, PgErrorKind::Usage);
        } else {
            // As after any failed statement: nothing goes on, and it ends by a rollback.
            assert_eq!(run(&tx, "SELECT 1").await.unwrap_err().sqlstate(), Some("25P02"));
            assert_eq!(tx.rollback_to("s").await.unwrap_err().sqlstate(), Some("25P02"));
            tx.rollback().await.unwrap();
            assert_eq!(tx.rollback().await.unwrap_err().kind, PgErrorKind::Usage);
        }
        assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "0");
        assert_eq!(db.value("SELECT balance FROM accounts WHERE id = 1", &[]).await, "100");
    }
}

#[tokio::test]
async fn what_is_never_twice_the_same_cannot_be_replayed() {
    let db = accounts().await;
    db.query("CREATE TABLE numbered (id serial, note text)", &[]).await.unwrap();
    for volatile in
        ["SELECT random()", "SELECT now()::text", "INSERT INTO numbered (note) VALUES ('x') RETURNING id"]
    {
        let tx = db.begin_with(serializable(3)).await;
        run(&tx, READ_TWO).await.unwrap();
        run(&tx, volatile).await.unwrap();
        doom(&db, &tx).await;
        let error = tx.commit().await.unwrap_err();
        assert!(error.message.contains("statement 2 read differently"), "{volatile}: {error}");
    }
    // The same without its answer can.
    let tx = db.begin_with(serializable(3)).await;
    run(&tx, READ_TWO).await.unwrap();
    run(&tx, "INSERT INTO numbered (note) VALUES ('x')").await.unwrap();
    doom(&db, &tx).await;
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM numbered", &[]).await, "1");
}

/// A cycle of locks: each has one row and wants the other's. The server kills one of them.
#[tokio::test]
async fn a_deadlock_is_replayed_unseen() {
    let db = accounts().await;
    let options = TransactionOptions { retries: 3, ..Default::default() };
    let (first, second) = (db.begin_with(options).await, db.begin_with(options).await);
    let add = |id: i32| format!("UPDATE accounts SET balance = balance + 1 WHERE id = {id}");
    run(&first, &add(1)).await.unwrap();
    run(&second, &add(2)).await.unwrap();
    let crossing = async |tx: &Transaction, id| {
        run(tx, &add(id)).await.unwrap();
        tx.commit().await.unwrap();
        tx.replays()
    };
    let (a, b) = tokio::join!(crossing(&first, 2), crossing(&second, 1));
    assert_eq!(a + b, 1);
    assert_eq!(db.values("SELECT balance FROM accounts", &[]).await, ["102", "102"]);
}

#[tokio::test]
async fn savepoints_and_caught_errors_are_replayed() {
    let db = accounts().await;
    let tx = db.begin_with(serializable(3)).await;
    run(&tx, READ_TWO).await.unwrap();
    tx.savepoint("outer").await.unwrap();
    tx.savepoint("inner").await.unwrap();
    run(&tx, "INSERT INTO accounts VALUES (3, 3)").await.unwrap();
    assert_eq!(run(&tx, "INSERT INTO accounts VALUES (1, 1)").await.unwrap_err().sqlstate(), Some("23505"));
    assert_eq!(run(&tx, "SELECT 1").await.unwrap_err().sqlstate(), Some("25P02"));
    tx.rollback_to("inner").await.unwrap();
    run(&tx, "INSERT INTO accounts VALUES (4, 4)").await.unwrap();
    tx.release("inner").await.unwrap();
    // Wrong before anything is sent: no part of the log.
    let error = tx.query("SELECT $1::int", &pack(&[text("x"), P::None])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    doom(&db, &tx).await;
    // Within a savepoint that is still open.
    run(&tx, "UPDATE accounts SET balance = 0 WHERE id = 1").await.unwrap();
    assert_eq!(tx.replays(), 1);
    tx.release("outer").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.values("SELECT id FROM accounts ORDER BY id", &[]).await, ["1", "2", "4"]);
    assert_eq!(db.values("SELECT note FROM notes", &[]).await, ["'mine'"]);
}

/// A function that fails as often as a sequence says: sequences are not rolled back.
async fn failing(db: &Db, times: u32, sqlstate: &str) {
    for sql in [
        "CREATE SEQUENCE tries".to_owned(),
        format!(
            "CREATE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'not yet' USING ERRCODE = '{sqlstate}'; END IF;
                RETURN 7; END $$"
        ),
    ] {
        db.query(&sql, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn each_failure_is_a_try_until_there_are_no_more() {
    for sqlstate in ["40001", "40P01"] {
        let db = accounts().await;
        failing(&db, 3, sqlstate).await;
        let tx = db.begin_with(TransactionOptions { retries: 3, ..Default::default() }).await;
        run(&tx, "INSERT INTO notes VALUES ('once')").await.unwrap();
        assert_eq!(run(&tx, "SELECT fail()").await.unwrap(), ["7"]);
        assert_eq!((tx.retries(), tx.replays()), (3, 1));
        tx.commit().await.unwrap();
        assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "1");
    }
    let db = accounts().await;
    failing(&db, 4, "40001").await;
    let tx = db.begin_with(TransactionOptions { retries: 3, ..Default::default() }).await;
    run(&tx, "INSERT INTO notes VALUES ('never')").await.unwrap();
    let error = run(&tx, "SELECT fail()").await.unwrap_err();
    assert_eq!((error.message.as_str(), error.sqlstate(), error.retryable), ("not yet", Some("40001"), true));
    assert_eq!((tx.retries(), tx.replays()), (3, 0));
    assert_eq!(run(&tx, "SELECT 1").await.unwrap_err().sqlstate(), Some("25P02"));
    assert_eq!(tx.commit().await.unwrap_err().sqlstate(), Some("25P02"));
    assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "0");
}

/// The retries are those of the transaction, not of each call; and a failure in the log itself is a try too.
#[tokio::test]
async fn a_failure_within_a_replay_is_the_next_try() {
    let db = accounts().await;
    failing(&db, 0, "40001").await;
    for sql in [
        // Fails for the tries number 2, 4 and 5.
        "CREATE OR REPLACE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') IN (2, 4, 5) THEN RAISE EXCEPTION 'not yet' USING ERRCODE = '40001'; END IF;
            RETURN 7; END $$",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let tx = db.begin_with(TransactionOptions { retries: 3, ..Default::default() }).await;
    // 1 answers; 2 fails; 3 replays 1, 4 fails; 5 fails in the log; 6 replays 1, 7 answers.
    for _ in 0..2 {
        assert_eq!(run(&tx, "SELECT fail()").await.unwrap(), ["7"]);
    }
    assert_eq!((tx.retries(), tx.replays()), (3, 1));
    assert_eq!(db.value("SELECT last_value FROM tries", &[]).await, "7");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_log_over_its_bounds_is_no_log() {
    let small = [
        PoolLimits { max_replay_bytes: 1500, ..PoolLimits::default() },
        PoolLimits { max_replay_statements: 4, ..PoolLimits::default() },
    ];
    for limits in small {
        let db = accounts_with(limits).await;
        let tx = db.begin_with(serializable(3)).await;
        run(&tx, READ_TWO).await.unwrap();
        for n in 0..3 {
            let params = pack(&[text(&"x".repeat(500 + n))]);
            tx.query("INSERT INTO notes VALUES ($1)", &params).await.unwrap();
        }
        doom(&db, &tx).await;
        let error = run(&tx, "UPDATE accounts SET balance = 50 WHERE id = 1").await.unwrap_err();
        assert_eq!((error.sqlstate(), error.retryable), (Some("40001"), true));
        assert!(
            error.message.ends_with("; not replayed: the transaction is too large to be replayed"),
            "{error}"
        );
        assert_eq!(tx.retries(), 0);
        tx.rollback().await.unwrap();

        let tx = db.begin_with(serializable(3)).await;
        run(&tx, READ_TWO).await.unwrap();
        for _ in 0..6 {
            tx.query("INSERT INTO notes VALUES ($1)", &pack(&[text(&"x".repeat(500))])).await.unwrap();
        }
        doom(&db, &tx).await;
        let error = tx.commit().await.unwrap_err();
        assert!(
            error.message.ends_with("; not replayed: the transaction is too large to be replayed"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_call_given_up_or_timed_out_ends_the_log() {
    let db = accounts().await;
    for timed_out in [true, false] {
        let tx = db.begin_with(serializable(3)).await;
        run(&tx, READ_TWO).await.unwrap();
        tx.savepoint("s").await.unwrap();
        if timed_out {
            let short = tx.within(std::time::Duration::from_millis(50));
            let error = short.query("SELECT pg_sleep(600)", &pack(&[])).await.unwrap_err();
            assert_eq!(error.kind, PgErrorKind::Timeout);
        } else {
            let nothing = pack(&[]);
            let call = tx.query("SELECT pg_sleep(600) -- given up", &nothing);
            tokio::select! {
                _ = call => panic!("it ended"),
                () = running(&db, "SELECT pg_sleep(600) -- given up") => {}
            }
        }
        tx.rollback_to("s").await.unwrap();
        doom(&db, &tx).await;
        let error = tx.commit().await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("40001"));
        let reason = if timed_out { "timed out" } else { "given up half-way" };
        assert!(
            error.message.contains("; not replayed: one of its calls") && error.message.contains(reason),
            "{error}"
        );
    }
}

async fn running(db: &Db, sql: &str) {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1";
    eventually("it runs", || async { db.value(count, &[text(sql)]).await != "0" }).await;
}

/// The replay waits for a lock that the test holds; there it is given up.
#[tokio::test]
async fn a_replay_given_up_rolls_back() {
    for at_commit in [true, false] {
        let db = accounts().await;
        let tx = db.begin_with(serializable(3)).await;
        run(&tx, READ_TWO).await.unwrap();
        run(
            &tx,
            "INSERT INTO notes SELECT 'replayed' WHERE 1 = (SELECT count(*) FROM pg_advisory_xact_lock(7))",
        )
        .await
        .unwrap();
        doom(&db, &tx).await;
        let holder = db.begin().await;
        // The transaction has the lock until its own rollback; then this gets it, and the replay waits for it.
        let hold = run(&holder, "SELECT FROM pg_advisory_xact_lock(7)");
        let call = async {
            if at_commit {
                tx.commit().await
            } else {
                run(&tx, "UPDATE accounts SET balance = 1 WHERE id = 1").await.map(drop)
            }
        };
        let waits = async {
            let queue = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            eventually("the holder waits", || async { db.value(queue, &[]).await == "1" }).await;
        };
        let (hold, waits) = (std::pin::pin!(hold), std::pin::pin!(waits));
        // The holder queues first.
        let hold = match futures::future::select(hold, waits).await {
            futures::future::Either::Right(((), hold)) => hold,
            futures::future::Either::Left(_) => panic!("the lock was free"),
        };
        {
            let mut call = std::pin::pin!(call);
            let held = async {
                hold.await.unwrap();
                let queue = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
                eventually("the replay waits", || async { db.value(queue, &[]).await == "1" }).await;
            };
            tokio::select! {
                answer = &mut call => panic!("it ended: {answer:?}"),
                () = held => {}
            }
        }
        holder.rollback().await.unwrap();
        assert_eq!((tx.retries(), tx.replays()), (1, 0));
        if at_commit {
            assert_eq!(tx.rollback().await.unwrap_err().kind, PgErrorKind::Usage);
        } else {
            assert_eq!(run(&tx, "SELECT 1").await.unwrap_err().sqlstate(), Some("25P02"));
            tx.rollback().await.unwrap();
        }
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND state <> 'idle'";
        eventually("it is rolled back", || async { db.value(open, &[]).await == "0" }).await;
        assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "0");
        assert_eq!(db.values("SELECT balance FROM accounts", &[]).await, ["100", "100"]);
    }
}

/// Before COMMIT a lost connection has rolled back for certain, but it is not replayed either.
#[tokio::test]
async fn a_lost_connection_is_not_replayed() {
    let db = accounts().await;
    let tx = db.begin_with(serializable(3)).await;
    run(&tx, "INSERT INTO notes VALUES ('lost')").await.unwrap();
    let pid = tx_value(&tx, "SELECT pg_backend_pid()").await;
    db.value(&format!("SELECT pg_terminate_backend({pid})"), &[]).await;
    let error = run(&tx, "SELECT 1").await.unwrap_err();
    assert_eq!((error.kind, error.retryable, tx.retries()), (PgErrorKind::Connection, true, 0), "{error:?}");
    assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "0");
}

/// A connection lost within a replay: nothing is done, for certain, and the error does not claim to be unsure.
#[tokio::test]
async fn a_connection_lost_in_a_replay_is_certain() {
    let db = accounts().await;
    db.query("CREATE SEQUENCE runs", &[]).await.unwrap();
    db.query(
        "CREATE FUNCTION die() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('runs') > 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN 1; END $$",
        &[],
    )
    .await
    .unwrap();
    let tx = db.begin_with(serializable(3)).await;
    run(&tx, READ_TWO).await.unwrap();
    run(&tx, "SELECT die()").await.unwrap();
    doom(&db, &tx).await;
    let error = tx.commit().await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, true), "{error:?}");
    assert!(!error.message.contains("unknown"), "{error}");
    assert_eq!((tx.retries(), tx.replays()), (1, 0));
    assert_eq!(db.value("SELECT count(*) FROM notes", &[]).await, "0");
}

#[tokio::test]
async fn a_replay_begins_as_the_transaction_began() {
    let db = accounts().await;
    failing(&db, 1, "40001").await;
    let options = TransactionOptions {
        isolation: Some(Isolation::RepeatableRead),
        deferrable: true,
        retries: 1,
        read_only: false,
    };
    let tx = db.begin_with(options).await;
    run(&tx, "SELECT fail()").await.unwrap();
    assert_eq!(tx.replays(), 1);
    for (setting, value) in [("isolation", "repeatable read"), ("deferrable", "on"), ("read_only", "off")] {
        assert_eq!(
            tx_value(&tx, &format!("SELECT current_setting('transaction_{setting}')")).await,
            format!("'{value}'")
        );
    }
}

#[tokio::test]
async fn the_number_of_retries_is_bounded() {
    let db = accounts().await;
    let most = TransactionOptions::MAX_RETRIES;
    db.begin_with(serializable(most)).await.rollback().await.unwrap();
    let error = db.database().begin(serializable(most + 1)).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (PgErrorKind::Usage, "101 retries of a transaction: at most 100 are allowed")
    );
}
