//! Sessions and their use: cancelling, deadlines, the ends of sessions.

use std::time::Duration;

use fasterapi_postgres::{PgErrorKind, PoolLimits};

use crate::support::{P, db, db_with, eventually, one_session, pack, superuser, text};

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
        .grant(db.tenant.clone(), db.alias.clone(), superuser().database(&db.name))
        .grant(other.clone(), db.alias.clone(), superuser().database(&db.name))
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
