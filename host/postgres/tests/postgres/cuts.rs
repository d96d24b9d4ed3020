//! Connections that are cut without a word, and servers that are slow: a proxy between forwards nothing more, or late.

use std::time::Duration;

use fasterapi_core::Secret;
use fasterapi_postgres::{DatabaseConfig, PgErrorKind, PoolLimits};

use crate::{
    outages::{full_strength, sessions},
    proxy::Proxy,
    support::{Db, P, db, db_with_config, eventually, server},
};

async fn behind_proxy(limits: PoolLimits) -> (Proxy, Db) {
    let name = db().await.name;
    let proxy = Proxy::start(server().socket_dir().join(".s.PGSQL.5432")).await;
    let url = format!("postgres://fasterapi@127.0.0.1:{}/{name}?sslmode=disable", proxy.port());
    let config = DatabaseConfig::from_url_in(&Secret::new(url), &|_| None).unwrap();
    let db = db_with_config(&name, config.with_limits(limits));
    full_strength(&db).await;
    (proxy, db)
}

#[tokio::test]
async fn what_was_cut_is_found_before_it_is_used() {
    let (proxy, db) = behind_proxy(PoolLimits { check_after: Duration::ZERO, ..sessions(3) }).await;
    proxy.cut();
    // None of the three answers any more: the call gets a fourth.
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
    assert!(db.status().totals.opened >= 4, "{:?}", db.status());
}

#[tokio::test]
async fn what_was_cut_is_found_while_it_is_idle() {
    let (proxy, db) =
        behind_proxy(PoolLimits { check_after: Duration::from_millis(50), ..sessions(3) }).await;
    let opened = db.status().totals.opened;
    proxy.cut();
    eventually("all are replaced", || async { db.status().totals.opened >= opened + 3 }).await;
    full_strength(&db).await;
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

/// The next calls do not wait for theirs to fail too, though what they would use has answered only just now.
#[tokio::test]
async fn one_that_is_cut_in_its_statement_makes_the_others_suspect() {
    let limits = PoolLimits { statement_timeout: Duration::from_millis(300), ..sessions(3) };
    let (proxy, db) = behind_proxy(limits).await;
    proxy.cut();
    assert_eq!(db.error("SELECT 1", &[]).await.kind, PgErrorKind::Timeout);
    eventually("the others are replaced", || async { db.status().totals.opened >= 5 }).await;
    assert_eq!(db.value("SELECT 2", &[]).await, "2");
}

#[tokio::test]
async fn a_slow_server_is_waited_for_within_the_deadlines() {
    let limits = PoolLimits { statement_timeout: Duration::from_millis(400), ..sessions(2) };
    let (proxy, db) = behind_proxy(limits).await;
    proxy.delay(Duration::from_millis(30));
    for n in 0..3 {
        assert_eq!(db.value("SELECT $1::int8", &[P::Int(n)]).await, n.to_string());
    }
    proxy.delay(Duration::from_secs(2));
    assert_eq!(db.error("SELECT 1", &[]).await.kind, PgErrorKind::Timeout);
    proxy.delay(Duration::ZERO);
    eventually("it is itself again", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
    full_strength(&db).await;
}
