//! Calls that share a session while all are in use: each gets its own answer, and nothing of another's.

use std::{sync::Arc, time::Duration};

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::{
    DatabaseConfig, Databases, PgError, PgErrorKind, PoolLimits, Reset, TransactionOptions,
};
use futures::future::join_all;
use tokio::task::JoinHandle;

use crate::support::{Answer, Db, P, db_on, db_with, eventually, one_session, pack, server, superuser, text};

type Call = JoinHandle<Result<Answer, PgError>>;

/// Sends a call to the end of the line.
async fn line_up(db: &Arc<Db>, sql: &str, params: Vec<P>) -> Call {
    let (waiting, own, sql) = (db.status().waiting, Arc::clone(db), sql.to_owned());
    let call = tokio::spawn(async move { own.query(&sql, &params).await });
    eventually("it stands in line", || async { db.status().waiting > waiting }).await;
    call
}

fn shown(answer: &Answer) -> Vec<String> {
    answer.rows.iter().flatten().map(ToString::to_string).collect()
}

async fn table(db: &Db) {
    db.query("CREATE TABLE t (id int PRIMARY KEY, name text)", &[]).await.unwrap();
    db.query("INSERT INTO t SELECT n, 'item ' || n FROM generate_series(0, 99) n", &[]).await.unwrap();
}

const ITEM: &str = "SELECT name FROM t WHERE id = $1";

#[tokio::test]
async fn each_gets_its_own_answer_over_one_session() {
    let db = Arc::new(db_with(one_session()).await);
    table(&db).await;
    let held = db.begin().await;
    let calls = [
        (ITEM, vec![P::Int(7)]),
        ("SELECT 1 / $1::int", vec![P::Int(0)]),
        (ITEM, vec![P::Int(1000)]),
        ("SELECT id, name FROM t WHERE id < 3 ORDER BY id", vec![]),
        (ITEM, vec![text("seven")]),
        ("SELECT no_such_column FROM t", vec![]),
        (ITEM, vec![P::Int(8), P::Int(9)]),
        ("VALUES (1), (2)", vec![]),
        (ITEM, vec![P::Int(9)]),
    ];
    let mut asked = Vec::new();
    for (sql, params) in calls {
        asked.push(line_up(&db, sql, params).await);
    }
    held.rollback().await.unwrap();
    drop(held);
    let told: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    let rows = |n: usize| shown(told[n].as_ref().unwrap_or_else(|error| panic!("{n}: {error:?}")));
    let error = |n: usize| told[n].as_ref().err().unwrap_or_else(|| panic!("{n} did not fail"));
    assert_eq!(rows(0), ["'item 7'"]);
    assert_eq!(error(1).sqlstate(), Some("22012"));
    assert_eq!(rows(2), [""; 0]);
    assert_eq!(rows(3), ["0", "'item 0'", "1", "'item 1'", "2", "'item 2'"]);
    assert_eq!(error(4).sqlstate(), Some("22P02"));
    assert_eq!(error(5).sqlstate(), Some("42703"));
    assert_eq!(error(6).kind, PgErrorKind::Usage);
    assert_eq!(rows(7), ["1", "2"]);
    assert_eq!(rows(8), ["'item 9'"]);
    let status = db.status();
    assert_eq!((status.totals.ridden, status.totals.opened), (9, 1), "{status:?}");
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nobody_gets_anothers_rows() {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 2.try_into().unwrap(), ..waits_long() }).await);
    table(&db).await;
    db.query("CREATE TABLE log (caller int, n int)", &[]).await.unwrap();
    let callers = (0..48).map(|caller: i128| {
        let db = Arc::clone(&db);
        tokio::spawn(async move {
            for n in 0..60 {
                one_of_many(&db, caller, n).await;
            }
        })
    });
    join_all(callers.collect::<Vec<_>>()).await.into_iter().for_each(Result::unwrap);
    assert!(db.status().totals.ridden > 100, "{:?}", db.status());
    assert_eq!(db.value("SELECT count(*) FROM log", &[]).await, (48 * 6).to_string());
}

fn waits_long() -> PoolLimits {
    PoolLimits {
        checkout_timeout: Duration::from_secs(120),
        statement_timeout: Duration::from_secs(120),
        ..PoolLimits::default()
    }
}

async fn one_of_many(db: &Db, caller: i128, n: i128) {
    let (own, item) = (P::Int(caller), P::Int((caller + n) % 100));
    match n % 10 {
        3 => assert_eq!(db.error("SELECT $1::int / 0", &[own]).await.sqlstate(), Some("22012")),
        5 => drop(db.query("INSERT INTO log VALUES ($1, $2)", &[own, P::Int(n)]).await.unwrap()),
        7 => {
            let tx = db.begin().await;
            let block = tx.query("SELECT $1::int", &pack(&[own])).await.unwrap();
            assert_eq!(shown(&Answer::read(&block)), [caller.to_string()]);
            tx.commit().await.unwrap();
        }
        9 => {
            let series = "SELECT $1::int + g FROM generate_series(0, $2::int) g";
            let expected: Vec<_> = (0..=n).map(|g| (caller + g).to_string()).collect();
            assert_eq!(db.values(series, &[own, P::Int(n)]).await, expected);
        }
        _ => assert_eq!(db.value(ITEM, &[item]).await, format!("'item {}'", (caller + n) % 100)),
    }
}

/// A table that is locked, so that whoever reads it waits.
async fn locked(db: &Db) -> (Db, fasterapi_postgres::Transaction) {
    db.query("CREATE TABLE locked (id int)", &[]).await.unwrap();
    db.query("SELECT id FROM locked", &[]).await.unwrap();
    let other = db.another();
    let lock = other.begin().await;
    lock.query("LOCK TABLE locked", &pack(&[])).await.unwrap();
    (other, lock)
}

#[tokio::test]
async fn one_that_waits_holds_nobody_up() {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 1.try_into().unwrap(), ..waits_long() }).await);
    table(&db).await;
    db.value(ITEM, &[P::Int(0)]).await;
    let (_other, lock) = locked(&db).await;
    let held = db.begin().await;
    let first = line_up(&db, ITEM, vec![P::Int(1)]).await;
    let waits = line_up(&db, "SELECT id FROM locked", vec![]).await;
    let mut others = Vec::new();
    for id in 2..6 {
        others.push(line_up(&db, ITEM, vec![P::Int(id)]).await);
    }
    held.rollback().await.unwrap();
    drop(held);
    assert_eq!(shown(&first.await.unwrap().unwrap()), ["'item 1'"]);
    for (id, other) in (2..6).zip(others) {
        assert_eq!(shown(&other.await.unwrap().unwrap()), [format!("'item {id}'")]);
    }
    assert!(!waits.is_finished());
    lock.query("INSERT INTO locked VALUES (5)", &pack(&[])).await.unwrap();
    lock.commit().await.unwrap();
    assert_eq!(shown(&waits.await.unwrap().unwrap()), ["5"]);
    assert_eq!(db.status().totals.ridden, 6);
}

fn waiting_for_locks(db: &Db) -> String {
    let name = &db.name;
    format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'")
}

/// Gives up the call that waits, by its deadline or by dropping it, alone at the end of a ride or with others behind it.
async fn given_up(by_deadline: bool, others: i128) {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 1.try_into().unwrap(), ..waits_long() }).await);
    table(&db).await;
    db.value(ITEM, &[P::Int(0)]).await;
    let (other, lock) = locked(&db).await;
    let held = db.begin().await;
    let first = line_up(&db, ITEM, vec![P::Int(1)]).await;
    let limit = Duration::from_millis(if by_deadline { 400 } else { 120_000 });
    let (own, waiting) = (db.database().within(limit), db.status().waiting);
    let waits = tokio::spawn(async move { own.query("SELECT id FROM locked", &pack(&[])).await });
    eventually("it stands in line", || async { db.status().waiting > waiting }).await;
    let mut behind = Vec::new();
    for id in 0..others {
        behind.push(line_up(&db, ITEM, vec![P::Int(id)]).await);
    }
    held.rollback().await.unwrap();
    drop(held);
    assert_eq!(shown(&first.await.unwrap().unwrap()), ["'item 1'"]);
    let running = waiting_for_locks(&db);
    if by_deadline {
        let error = waits.await.unwrap().unwrap_err();
        assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Timeout, Some("57014")), "{error:?}");
    } else {
        eventually("it waits", || async { other.value(&running, &[]).await == "1" }).await;
        waits.abort();
    }
    for (id, call) in (0..others).zip(behind) {
        assert_eq!(shown(&call.await.unwrap().unwrap()), [format!("'item {id}'")]);
    }
    eventually("it is cancelled", || async { other.value(&running, &[]).await == "0" }).await;
    // While the lock is still held.
    assert_eq!(db.value(ITEM, &[P::Int(3)]).await, "'item 3'");
    assert_eq!(db.status().totals.opened, 1);
    lock.rollback().await.unwrap();
}

#[tokio::test]
async fn one_that_times_out_leaves_the_others_right() {
    given_up(true, 0).await;
    given_up(true, 3).await;
}

#[tokio::test]
async fn one_that_is_dropped_leaves_the_others_right() {
    given_up(false, 0).await;
    given_up(false, 3).await;
}

#[tokio::test]
async fn many_are_dropped_wherever_they_stand() {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 1.try_into().unwrap(), ..waits_long() }).await);
    table(&db).await;
    for round in 0..20 {
        let callers = (0..24).map(|caller| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                let id = (caller * 7 + round) % 100;
                assert_eq!(db.value(ITEM, &[P::Int(id)]).await, format!("'item {id}'"));
            })
        });
        let callers: Vec<_> = callers.collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        callers.iter().step_by(3).for_each(JoinHandle::abort);
        for (n, call) in callers.into_iter().enumerate() {
            let ended = call.await;
            assert!(n % 3 == 0 || ended.is_ok(), "{ended:?}");
        }
    }
    assert!(db.status().totals.ridden > 0);
    assert_eq!(db.status().totals.opened, 1);
}

#[tokio::test]
async fn what_wants_a_session_alone_is_not_overtaken() {
    let db = Arc::new(db_with(one_session()).await);
    table(&db).await;
    let held = db.begin().await;
    let before = [line_up(&db, ITEM, vec![P::Int(1)]).await, line_up(&db, ITEM, vec![P::Int(2)]).await];
    let (own, waiting) = (Arc::clone(&db), db.status().waiting);
    let transaction = tokio::spawn(async move { own.begin().await });
    eventually("it stands in line", || async { db.status().waiting > waiting }).await;
    let behind = [line_up(&db, ITEM, vec![P::Int(3)]).await, line_up(&db, ITEM, vec![P::Int(4)]).await];
    held.rollback().await.unwrap();
    drop(held);
    let transaction = transaction.await.unwrap();
    assert!(join_all(before).await.iter().all(|told| told.as_ref().unwrap().is_ok()));
    assert_eq!(db.status().waiting, 2, "those behind it wait for it");
    transaction.commit().await.unwrap();
    drop(transaction);
    assert!(join_all(behind).await.iter().all(|told| told.as_ref().unwrap().is_ok()));
    assert_eq!(db.status().totals.ridden, 4);
}

/// Asks so often at once, on a pool of one session, that they would share it if they might.
async fn crowd(db: &Db, sql: &str) -> u64 {
    let (database, params) = (db.database(), pack(&[]));
    let all = (0..12).map(|_| database.query(sql, &params));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    db.status().totals.ridden
}

#[tokio::test]
async fn who_may_not_share_does_not() {
    let db = db_with(one_session()).await;
    table(&db).await;
    for sql in [
        "INSERT INTO t SELECT max(id) + 1 FROM t",
        "UPDATE t SET name = name WHERE id = 1",
        "SELECT * FROM t WHERE id = 1 FOR UPDATE",
        "SELECT set_config('app.x', '1', false)",
        "SELECT pg_sleep(0)",
        "SET app.x = '2'",
    ] {
        assert_eq!(crowd(&db, sql).await, 0, "{sql}");
    }
    let terms =
        |config: DatabaseConfig, limits| crate::support::db_with_config(&db.name, config.with_limits(limits));
    let own = || superuser().database(&db.name);
    let resets = terms(own(), PoolLimits { reset: Reset::Always, ..one_session() });
    let alone = terms(own(), PoolLimits { max_riders: 1, ..one_session() });
    let reads = terms(own().with_read_only(true), one_session());
    for db in [resets, alone, reads] {
        assert_eq!(crowd(&db, "SELECT 1").await, 0);
    }
    let database = db.database().with_variables(Arc::new([("app.x".into(), "1".into())]));
    let params = pack(&[]);
    let all = (0..12).map(|_| database.query("SELECT current_setting('app.x')", &params));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(db.status().totals.ridden, 0);
    assert!(crowd(&db, "SELECT 1").await > 0);
}

/// What others set on a session in between is never seen by who shares it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaks_into_a_shared_session() {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 2.try_into().unwrap(), ..waits_long() }).await);
    let dirty = [
        "SELECT set_config('app.x', 'leak', false)",
        "SET timezone = 'Asia/Tokyo'",
        "CREATE TEMP TABLE leaked (id int)",
        "SELECT pg_advisory_lock(1)",
        "SET search_path = pg_catalog",
    ];
    let clean = "SELECT coalesce(current_setting('app.x', true), ''), current_setting('timezone'), \
                 current_schema(), (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')";
    let expected = db.values(clean, &[]).await;
    let callers = (0..32).map(|caller: usize| {
        let (db, expected) = (Arc::clone(&db), expected.clone());
        tokio::spawn(async move {
            for n in 0..20 {
                match (caller + n) % 8 {
                    0 => drop(db.query(dirty[(caller + n) / 8 % dirty.len()], &[]).await),
                    _ => assert_eq!(db.values(clean, &[]).await, expected),
                }
            }
        })
    });
    join_all(callers.collect::<Vec<_>>()).await.into_iter().for_each(Result::unwrap);
    assert!(db.status().totals.ridden > 0);
}

#[tokio::test]
async fn tenants_share_nothing() {
    let admin = db_with(PoolLimits::default()).await;
    let (alias, tenants) = (DatabaseAlias::default(), ["one", "two"].map(|id| TenantId::new(id).unwrap()));
    let mut builder = Databases::builder();
    for tenant in &tenants {
        let path = tenant.as_str();
        admin.query(&format!("CREATE SCHEMA {path}"), &[]).await.unwrap();
        let config = superuser().database(&admin.name).with_limits(one_session()).with_search_path(path);
        builder = builder.grant(tenant.clone(), alias.clone(), config);
    }
    let databases = builder.build();
    let params = pack(&[]);
    let calls = (0..64).map(|n| {
        let tenant = &tenants[n % 2];
        let (database, params) = (databases.database(tenant, &alias).unwrap(), &params);
        async move {
            let block = database.query("SELECT current_schema()", params).await.unwrap();
            assert_eq!(shown(&Answer::read(&block)), [format!("'{}'", tenant.as_str())]);
        }
    });
    join_all(calls).await;
    assert!(databases.status().all(|(_, _, status)| status.totals.ridden > 0 && status.size == 1));
}

#[tokio::test]
async fn a_table_that_changed_is_read_as_it_is() {
    let db = db_with(one_session()).await;
    table(&db).await;
    let (database, params) = (db.database(), pack(&[]));
    let all = "SELECT * FROM t WHERE id = 1";
    for (change, columns) in
        [("SELECT 1", 2), ("ALTER TABLE t ADD more int", 3), ("ALTER TABLE t DROP name", 2)]
    {
        db.another().query(change, &[]).await.unwrap();
        let answers = join_all((0..12).map(|_| database.query(all, &params))).await;
        for answer in answers {
            assert_eq!(Answer::read(&answer.unwrap()).rows[0].len(), columns, "{change}");
        }
    }
    assert!(db.status().totals.ridden > 0);
}

#[tokio::test]
async fn a_big_result_comes_whole_and_keeps_nobody() {
    let db = Arc::new(db_with(one_session()).await);
    let big = "SELECT repeat('x', 1000) FROM generate_series(1, 2000)";
    let held = db.begin().await;
    let mut calls = Vec::new();
    for n in 0..6 {
        calls.push(match n % 3 {
            1 => line_up(&db, big, vec![]).await,
            _ => line_up(&db, "SELECT $1::int8", vec![P::Int(n)]).await,
        });
    }
    held.rollback().await.unwrap();
    drop(held);
    for (n, call) in calls.into_iter().enumerate() {
        let answer = call.await.unwrap().unwrap();
        match n % 3 {
            1 => assert_eq!(answer.rows.len(), 2000),
            _ => assert_eq!(shown(&answer), [n.to_string()]),
        }
    }
    assert_eq!((db.status().totals.ridden, db.status().totals.opened), (6, 1));
}

#[tokio::test]
async fn those_who_ride_are_counted_one_by_one() {
    let db = db_with(one_session()).await;
    crowd(&db, "SELECT g FROM generate_series(1, 3) g").await;
    let (_, _, all) = db.databases.statistics().next().unwrap();
    let report = all.into_iter().find(|report| report.statement.contains("generate_series")).unwrap();
    let counts = (report.micros.count, report.waited_micros.count, report.rows, report.failed);
    assert_eq!(counts, (12, 12, 36, 0));
    assert!(report.received_bytes > 0 && report.sent_bytes > 0);
}

#[tokio::test]
async fn a_pool_that_closes_answers_who_is_aboard() {
    let db = Arc::new(db_with(one_session()).await);
    let (other, lock) = locked(&db).await;
    let held = db.begin().await;
    let aboard =
        [line_up(&db, "SELECT 1", vec![]).await, line_up(&db, "SELECT id FROM locked", vec![]).await];
    held.rollback().await.unwrap();
    drop(held);
    let waits = waiting_for_locks(&db);
    eventually("the second waits", || async { other.value(&waits, &[]).await == "1" }).await;
    let late = line_up(&db, "SELECT 2", vec![]).await;
    let closing = Arc::clone(&db);
    let closed = tokio::spawn(async move { closing.databases.close().await });
    assert_eq!(late.await.unwrap().unwrap_err().kind, PgErrorKind::Connection);
    lock.rollback().await.unwrap();
    assert!(join_all(aboard).await.iter().all(|told| told.as_ref().unwrap().is_ok()));
    closed.await.unwrap();
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", db.name);
    // Two are those of the other pool.
    eventually("its session has ended", || async { other.value(&gone, &[]).await == "2" }).await;
}

/// What is lost with its session is told, each call what is true of it; the others never notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_killed_under_riders() {
    let db = Arc::new(db_on(server(), PoolLimits { max_size: 2.try_into().unwrap(), ..waits_long() }).await);
    let killer = db_on(server(), one_session()).await;
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers = (0..24).map(|caller| {
        let (db, done) = (Arc::clone(&db), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut right, mut lost) = (0, 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                match db
                    .query("SELECT $1::int8, count(*) FROM generate_series(1, 500)", &[P::Int(caller)])
                    .await
                {
                    Ok(answer) => {
                        assert_eq!(shown(&answer), [caller.to_string(), "500".to_owned()]);
                        right += 1;
                    }
                    Err(error) => {
                        assert_eq!(
                            (error.kind, error.retryable),
                            (PgErrorKind::Connection, true),
                            "{error:?}"
                        );
                        lost += 1;
                    }
                }
            }
            (right, lost)
        })
    });
    let callers: Vec<_> = callers.collect();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    for _ in 0..10 {
        let opened = db.status().totals.opened;
        killer.value(sql, &[text(&db.name)]).await;
        eventually("others are opened", || async { db.status().totals.opened > opened }).await;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let ended: Vec<(u32, u32)> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
    let (right, lost) = ended.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let status = db.status();
    assert!(right > 0 && status.totals.ridden > 0, "{status:?}");
    // The server says that it ends: only who was first on a session's wire is told, not all behind it.
    assert!(u64::from(lost) <= status.totals.opened, "{lost} were told: {status:?}");
    db.begin_with(TransactionOptions::default()).await.commit().await.unwrap();
}

/// A view whose function changes a setting: by its words, reading it is harmless. The server reports the change.
#[tokio::test]
async fn nobody_reads_with_a_setting_that_another_changed() {
    let db = Arc::new(db_with(one_session()).await);
    for sql in [
        "CREATE FUNCTION move() RETURNS text LANGUAGE sql AS $$ SELECT set_config('timezone', 'Asia/Tokyo', false) $$",
        "CREATE VIEW moved AS SELECT move() AS there",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let zone = "SELECT current_setting('timezone')";
    let expected = db.value(zone, &[]).await;
    for sql in [zone, "SELECT there FROM moved"] {
        db.query(sql, &[]).await.unwrap();
    }
    let held = db.begin().await;
    let mut calls = Vec::new();
    for n in 0..9 {
        calls.push(line_up(&db, if n == 3 { "SELECT there FROM moved" } else { zone }, vec![]).await);
    }
    held.rollback().await.unwrap();
    drop(held);
    for (n, told) in join_all(calls).await.into_iter().enumerate() {
        let found = shown(&told.unwrap().unwrap()).remove(0);
        assert_eq!(found, if n == 3 { "'Asia/Tokyo'" } else { &expected });
    }
    assert_eq!(db.status().totals.ridden, 9);
}
