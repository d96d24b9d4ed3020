//! Who gets a session, in which order, and how many there are.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::{Databases, PgErrorKind, PoolLimits, PoolStatus, TransactionOptions};

use crate::support::{Db, db_with, eventually, one_session, pack, superuser, text};

fn size(n: usize) -> NonZeroUsize {
    n.try_into().unwrap()
}

async fn at_rest(db: &Db) {
    let rests = || async {
        let PoolStatus { idle, size, waiting, .. } = db.status();
        idle == size && waiting == 0
    };
    eventually("all sessions are idle again", rests).await;
}

#[tokio::test]
async fn who_waits_is_served_in_turn() {
    let db = Arc::new(db_with(one_session()).await);
    let tx = db.begin().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut calls = Vec::new();
    for n in 0..20 {
        let (db, order) = (Arc::clone(&db), Arc::clone(&order));
        let waiting = db.status().waiting;
        let watch = Arc::clone(&db);
        calls.push(tokio::spawn(async move {
            db.value("SELECT 1", &[]).await;
            order.lock().unwrap().push(n);
        }));
        eventually("it waits", || async { watch.status().waiting > waiting }).await;
    }
    // Some give up: theirs goes to the next.
    for n in [0, 7, 19] {
        calls[n].abort();
    }
    eventually("they left", || async { db.status().waiting == 17 }).await;
    tx.commit().await.unwrap();
    let _ = futures::future::join_all(calls).await;
    let order = order.lock().unwrap().clone();
    assert!(order.len() == 17 && order.is_sorted(), "{order:?}");
    let PoolStatus { totals, .. } = db.status();
    assert!(totals.waits >= 17 && totals.timeouts == 0 && totals.waited > Duration::ZERO, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_give_up_at_any_moment_lose_no_session() {
    let limits = PoolLimits { max_size: size(2), ..PoolLimits::default() };
    let db = Arc::new(db_with(limits).await);
    db.value("SELECT 1", &[]).await;
    let calls = (0..400_u64).map(|n| {
        let db = Arc::clone(&db);
        tokio::spawn(async move {
            let call = db.query("SELECT pg_sleep(0.0005)", &[]);
            let patience = if n % 8 == 0 { 10_000_000 } else { n * 50 };
            tokio::time::timeout(Duration::from_micros(patience), call).await.is_ok_and(|ended| ended.is_ok())
        })
    });
    let ended = futures::future::join_all(calls).await.into_iter().filter(|ok| *ok.as_ref().unwrap()).count();
    assert!(ended >= 50, "{ended}");
    at_rest(&db).await;
    assert!(db.status().size <= 2, "{:?}", db.status());
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn only_so_many_may_wait_and_only_so_long() {
    let limits = PoolLimits { max_waiting: 1, checkout_timeout: Duration::from_secs(1), ..one_session() };
    let db = db_with(limits).await;
    let tx = db.begin().await;
    let refused = async {
        eventually("one waits", || async { db.status().waiting == 1 }).await;
        db.error("SELECT 1", &[]).await
    };
    let (late, refused) = tokio::join!(db.error("SELECT 1", &[]), refused);
    assert_eq!((refused.kind, refused.retryable), (PgErrorKind::Timeout, true));
    assert_eq!(refused.message, "too many calls wait for a session of database `default`: 1");
    assert_eq!((late.kind, late.retryable), (PgErrorKind::Timeout, true));
    assert_eq!(late.message, "no session of database `default` became free within 1s: all 1 are in use");
    drop(tx);
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
    let totals = db.status().totals;
    assert_eq!((totals.refused, totals.timeouts), (1, 1));
}

#[tokio::test]
async fn sessions_are_kept_ready_and_superfluous_ones_go() {
    let limits = PoolLimits { min_size: 2, idle_timeout: Duration::ZERO, ..PoolLimits::default() };
    let db = Arc::new(db_with(limits).await);
    let ready = || async { db.status().idle == 2 && db.status().size == 2 };
    eventually("two are opened", ready).await;
    let calls = (0..6).map(|_| db.value("SELECT pg_sleep(0.1)", &[]));
    futures::future::join_all(calls).await;
    eventually("the others go", ready).await;
    let other = db_with(one_session()).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    let opened = db.status().totals.opened;
    other.value(sql, &[text(&db.name)]).await;
    eventually("they are opened again", || async { db.status().totals.opened >= opened + 2 }).await;
    eventually("and ready", ready).await;
}

/// Two tenants with two databases each, under caps.
fn capped(db: &Db, host: usize, first: usize) -> (Databases, [(TenantId, DatabaseAlias); 4]) {
    let tenants = ["first", "second"].map(|name| TenantId::new(name).unwrap());
    let aliases = ["a", "b"].map(|name| DatabaseAlias::new(name).unwrap());
    let mut builder =
        Databases::builder().max_sessions(size(host)).tenant_max_sessions(tenants[0].clone(), size(first));
    let limits = PoolLimits { checkout_timeout: Duration::from_millis(200), ..PoolLimits::default() };
    let all = [0, 1, 2, 3].map(|n| (tenants[n / 2].clone(), aliases[n % 2].clone()));
    for (tenant, alias) in all.clone() {
        builder = builder.grant(tenant, alias, superuser().database(&db.name).with_limits(limits.clone()));
    }
    (builder.build(), all)
}

#[tokio::test]
async fn caps_hold_for_a_tenant_and_for_the_host() {
    let db = db_with(one_session()).await;
    let (databases, [a, b, c, d]) = capped(&db, 3, 2);
    let of = |(tenant, alias): &(TenantId, DatabaseAlias)| databases.database(tenant, alias).unwrap();
    let begin = async |grant| of(grant).begin(TransactionOptions::default()).await;
    let total = || databases.status().map(|(_, _, status)| status.size).sum::<usize>();
    let (first, _second) = (begin(&a).await.unwrap(), begin(&b).await.unwrap());
    // The tenant has its two, the host has one more, which is another tenant's.
    assert_eq!(begin(&a).await.unwrap_err().kind, PgErrorKind::Timeout);
    let third = begin(&c).await.unwrap();
    assert_eq!(begin(&d).await.unwrap_err().kind, PgErrorKind::Timeout);
    assert_eq!(total(), 3);
    // One that is idle makes room, within its tenant and across.
    first.commit().await.unwrap();
    let first = begin(&b).await.unwrap();
    third.commit().await.unwrap();
    let third = begin(&d).await.unwrap();
    assert_eq!(total(), 3);
    // Who stands in line gets what comes back.
    let database = of(&c);
    let (fourth, ()) = tokio::join!(database.begin(TransactionOptions::default()), async {
        eventually("it waits", || async { databases.status().any(|(_, _, s)| s.waiting == 1) }).await;
        third.commit().await.unwrap();
    });
    fourth.unwrap();
    assert!(total() <= 3);
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pools_under_a_small_cap_get_their_turn() {
    let db = db_with(one_session()).await;
    let (databases, all) = capped(&db, 2, 1);
    let databases = Arc::new(databases);
    let served: Arc<[AtomicU32; 4]> = Arc::default();
    let calls = all.iter().enumerate().flat_map(|pool| [pool; 3]).map(|(pool, (tenant, alias))| {
        let (database, served) = (databases.database(tenant, alias).unwrap(), Arc::clone(&served));
        tokio::spawn(async move {
            loop {
                match database.query("SELECT 1", &pack(&[])).await {
                    Ok(_) => drop(served[pool].fetch_add(1, Ordering::Relaxed)),
                    Err(error) => assert_eq!(error.kind, PgErrorKind::Timeout, "{error:?}"),
                }
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    let all_served = || async { served.iter().all(|served| served.load(Ordering::Relaxed) > 3) };
    eventually("each pool is served again and again", all_served).await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let total: usize = databases.status().map(|(_, _, status)| status.size).sum();
    assert!(total <= 2);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    eventually("no more are open than counted", || async {
        db.value(sql, &[text(&db.name)]).await.parse::<u32>().unwrap() <= 2
    })
    .await;
}

/// A listening connection is outside of all pools, but not of the caps.
#[tokio::test]
async fn a_listening_connection_has_its_place_under_the_caps() {
    let db = db_with(one_session()).await;
    let (databases, [a, b, c, _]) = capped(&db, 3, 2);
    let of = |(tenant, alias): &(TenantId, DatabaseAlias)| databases.database(tenant, alias).unwrap();
    let begin = async |grant| of(grant).begin(TransactionOptions::default()).await;
    let channel = ["c".to_owned()];
    // Of two idle sessions one gives way.
    let (first, second) = (begin(&a).await.unwrap(), begin(&b).await.unwrap());
    first.commit().await.unwrap();
    second.commit().await.unwrap();
    let listener = of(&a).listen(&channel).await.unwrap();
    let first = begin(&a).await.unwrap();
    assert_eq!(begin(&b).await.unwrap_err().kind, PgErrorKind::Timeout);
    // The host has one more, another tenant's; where none is idle, nobody listens.
    let third = begin(&c).await.unwrap();
    let error = of(&c).listen(&channel).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Timeout, true));
    assert!(error.message.ends_with("is left under the caps: all are in use"), "{error}");
    // What it had is free again some time after its end.
    drop(listener);
    let again = || async { begin(&b).await.is_ok() };
    eventually("its place is free", again).await;
    drop((first, third));
    let listens = || async { of(&c).listen(&channel).await.is_ok() };
    eventually("what could not be done then can be done now", listens).await;
}
