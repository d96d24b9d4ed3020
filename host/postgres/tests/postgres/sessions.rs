//! What a session may leave behind, and that it does not; cancelling; deadlines.

use std::time::Duration;

use fasterapi_postgres::{PgErrorKind, PoolLimits, Reset};

use crate::support::{P, db, db_with, eventually, one_session, pack, server, text};

/// Statements that leave something behind, how to see it, and how that looks when nothing is left.
const LEAKS: &[(&str, &str, &str)] = &[
    ("SET search_path = leaked", "SELECT current_setting('search_path')", "'\"$user\", public'"),
    ("SELECT set_config('app.user', 'leaked', false)", "SELECT current_setting('app.user', true)", "''"),
    (
        "DO $$ BEGIN PERFORM set_config('app.user', 'x', false); END $$",
        "SELECT current_setting('app.user', true)",
        "''",
    ),
    ("SELECT touch()", "SELECT current_setting('app.user', true)", "''"),
    ("CREATE TEMP TABLE leaked (id int)", "SELECT to_regclass('pg_temp.leaked')", "None"),
    ("SELECT 1 AS id INTO TEMPORARY leaked", "SELECT to_regclass('pg_temp.leaked')", "None"),
    (
        "SELECT pg_advisory_lock(42)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        "0",
    ),
    ("LISTEN leaked", "SELECT count(*) FROM pg_listening_channels()", "0"),
    (
        "DECLARE leaked CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'leaked'",
        "0",
    ),
    ("SET ROLE other", "SELECT current_user", "'fasterapi'"),
    ("SET SESSION AUTHORIZATION other", "SELECT session_user", "'fasterapi'"),
    ("SELECT setval('numbers', 7)", "SELECT lastval_or_null()", "None"),
    ("PREPARE leaked AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'leaked'", "0"),
];

#[tokio::test]
async fn nothing_leaks_to_the_next_use() {
    let db = db_with(one_session()).await;
    for sql in [
        "DO $$ BEGIN CREATE ROLE other; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION touch() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.user', 'x', false) $$",
        "CREATE FUNCTION lastval_or_null() RETURNS bigint LANGUAGE plpgsql AS
            $$ BEGIN RETURN lastval(); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    for (leak, look, clean) in LEAKS {
        let before = db.value("SELECT pg_backend_pid()", &[]).await;
        db.query(leak, &[]).await.unwrap_or_else(|error| panic!("{leak}: {error}"));
        let after = db.value("SELECT pg_backend_pid()", &[]).await;
        assert_eq!(db.value(look, &[]).await.replace("None", clean), *clean, "{leak}");
        // Reset, not merely thrown away; except where the host's own statements may be gone.
        assert_eq!(before == after, !leak.starts_with("PREPARE"), "{leak}");
    }
}

/// Without this the test above could pass because its statements leak nothing.
#[tokio::test]
async fn the_leaks_are_leaks() {
    let db = db_with(one_session()).await;
    let tx = db.begin().await;
    let value = crate::support::tx_value(&tx, "SELECT pg_backend_pid()").await;
    tx.query("SELECT set_config('app.user', 'leaked', false)", &pack(&[])).await.unwrap();
    assert_eq!(crate::support::tx_value(&tx, "SELECT current_setting('app.user')").await, "'leaked'");
    tx.commit().await.unwrap();
    assert_eq!(db.value("SELECT current_setting('app.user', true)", &[]).await, "''");
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, value);
}

#[tokio::test]
async fn a_clean_session_is_not_reset_unless_told() {
    for (reset, kept) in [(Reset::WhenDirtied, true), (Reset::Always, false)] {
        let db = db_with(PoolLimits { reset, ..one_session() }).await;
        // A trigger touches the session unseen.
        for sql in [
            "CREATE TABLE t (id int)",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM set_config('app.user', 'seen', false); RETURN NEW; END $$",
            "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()",
            "INSERT INTO t VALUES (1)",
        ] {
            db.query(sql, &[]).await.unwrap();
        }
        let seen = db.value("SELECT current_setting('app.user', true)", &[]).await;
        assert_eq!(seen == "'seen'", kept, "{reset:?}: {seen}");
    }
}

async fn running(db: &crate::support::Db, marker: &str) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()";
    db.value(sql, &[text(&format!("%{marker}%"))]).await != "0"
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_on_the_server() {
    let watch = db().await;
    let db = db_with(one_session()).await;
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    {
        let mut call = std::pin::pin!(db.query("SELECT pg_sleep(600) -- dropped call", &[]));
        tokio::select! {
            _ = &mut call => panic!("it ended"),
            () = eventually("it runs", || running(&watch, "dropped call")) => {}
        }
    }
    eventually("it is gone", || async { !running(&watch, "dropped call").await }).await;
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid, "the session is used again");
}

#[tokio::test]
async fn calls_dropped_at_any_moment_leave_the_session_whole() {
    let db = db_with(one_session()).await;
    db.query("CREATE TABLE t (id int)", &[]).await.unwrap();
    for round in 0..200_u64 {
        let sql = format!("SELECT count(*), {} FROM generate_series(1, 2000)", round % 50);
        let call = db.query(&sql, &[]);
        let _ = tokio::time::timeout(Duration::from_micros(round * 20), call).await;
        assert_eq!(db.value("SELECT $1::int8", &[P::Int(round.into())]).await, round.to_string());
    }
}

#[tokio::test]
async fn a_statement_ends_at_its_deadline() {
    let watch = db().await;
    let limits = PoolLimits { statement_timeout: Duration::from_millis(200), ..one_session() };
    let db = db_with(limits).await;
    let error = db.error("SELECT pg_sleep(600) -- deadline", &[]).await;
    assert_eq!(error.kind, PgErrorKind::Timeout);
    assert_eq!(error.message, "the statement did not end within 200ms and was cancelled");
    eventually("it is gone", || async { !running(&watch, "deadline").await }).await;
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn a_cancel_from_outside_is_canceled() {
    let watch = db().await;
    let db = db_with(one_session()).await;
    let sql = "SELECT pg_sleep(600) -- outside";
    let cancel = async {
        eventually("it runs", || running(&watch, "outside")).await;
        let sql = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query = $1 AND state = 'active'";
        watch.value(sql, &[text(sql_of("outside").as_str())]).await;
    };
    fn sql_of(marker: &str) -> String {
        format!("SELECT pg_sleep(600) -- {marker}")
    }
    let (error, ()) = tokio::join!(db.error(sql, &[]), cancel);
    assert_eq!(
        (error.kind, error.sqlstate(), error.retryable),
        (PgErrorKind::Canceled, Some("57014"), false)
    );
}

#[tokio::test]
async fn idle_and_old_sessions_are_replaced() {
    for limits in [
        PoolLimits { idle_timeout: Duration::ZERO, ..one_session() },
        PoolLimits { max_lifetime: Duration::ZERO, ..one_session() },
    ] {
        let db = db_with(limits).await;
        let first = db.value("SELECT pg_backend_pid()", &[]).await;
        assert_ne!(db.value("SELECT pg_backend_pid()", &[]).await, first);
    }
}

#[tokio::test]
async fn sessions_of_two_tenants_are_apart() {
    let db = db_with(one_session()).await;
    let other = fasterapi_core::TenantId::new("other").unwrap();
    let databases = fasterapi_postgres::Databases::builder()
        .grant(db.tenant.clone(), db.alias.clone(), server().database(&db.name))
        .grant(other.clone(), db.alias.clone(), server().database(&db.name))
        .build();
    let pid = async |tenant: &fasterapi_core::TenantId| {
        let block = databases
            .database(tenant, &db.alias)
            .unwrap()
            .query("SELECT pg_backend_pid()", &pack(&[]))
            .await
            .unwrap();
        crate::support::Answer::read(&block).rows[0][0].to_string()
    };
    let (first, second) = (pid(&db.tenant).await, pid(&other).await);
    assert_ne!(first, second);
    assert_eq!((pid(&db.tenant).await, pid(&other).await), (first, second));
}

#[tokio::test]
async fn many_callers_share_a_small_pool() {
    let limits = PoolLimits { max_size: 3.try_into().unwrap(), ..PoolLimits::default() };
    let db = std::sync::Arc::new(db_with(limits).await);
    let calls = (0..200).map(|n| {
        let db = std::sync::Arc::clone(&db);
        tokio::spawn(async move { db.value("SELECT $1::int8 FROM pg_sleep(0.001)", &[P::Int(n)]).await })
    });
    for (n, call) in futures::future::join_all(calls).await.into_iter().enumerate() {
        assert_eq!(call.unwrap(), n.to_string());
    }
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    assert!(db.value(sql, &[text(&db.name)]).await.parse::<u32>().unwrap() <= 3);
}
