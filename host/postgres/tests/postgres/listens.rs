//! LISTEN: one connection for all, and its way back.

use fasterapi_postgres::{Event, Listener, PgErrorKind};

use crate::support::{Db, P, db, eventually, own_server, text};

async fn listen(db: &Db, channels: &[&str]) -> Listener {
    let channels: Vec<String> = channels.iter().map(ToString::to_string).collect();
    db.database().listen(&channels).await.unwrap()
}

async fn notify(db: &Db, channel: &str, payload: &str) {
    db.query("SELECT pg_notify($1, $2)", &[text(channel), text(payload)]).await.unwrap();
}

/// Channel and payload of the next event, which is no gap.
async fn heard(listener: &mut Listener) -> (String, String) {
    match listener.next().await.unwrap() {
        Event::Notification { channel, payload, .. } => (channel.to_string(), payload.to_string()),
        other => panic!("{other:?}"),
    }
}

fn pair(channel: &str, payload: &str) -> (String, String) {
    (channel.into(), payload.into())
}

/// Connections to the database that are no session of `db`'s pool: its listening connection.
async fn listening(db: &Db) -> String {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query LIKE 'UNLISTEN%' OR query = 'SELECT')";
    db.another().value(sql, &[]).await
}

#[tokio::test]
async fn notifications_reach_those_who_listen_over_one_connection() {
    let db = db().await;
    let mut odd = listen(&db, &["odd \"; -- é", "a", "a"]).await;
    let mut a = listen(&db, &["a"]).await;
    let mut b = listen(&db, &["b", "A"]).await;
    notify(&db, "odd \"; -- é", "1").await;
    notify(&db, "a", "2").await;
    notify(&db, "A", "3").await;
    notify(&db, "nobody", "4").await;
    db.query("NOTIFY b", &[]).await.unwrap();
    assert_eq!(heard(&mut odd).await, pair("odd \"; -- é", "1"));
    assert_eq!(heard(&mut odd).await, pair("a", "2"));
    assert_eq!(heard(&mut a).await, pair("a", "2"));
    assert_eq!(heard(&mut b).await, pair("A", "3"));
    assert_eq!(heard(&mut b).await, pair("b", ""));
    assert_eq!(listening(&db).await, "1");
}

#[tokio::test]
async fn what_is_not_committed_is_not_heard() {
    let db = db().await;
    let mut a = listen(&db, &["a"]).await;
    let tx = db.begin().await;
    tx.query("SELECT pg_notify('a', 'never')", &crate::support::pack(&[])).await.unwrap();
    tx.rollback().await.unwrap();
    notify(&db, "a", "told").await;
    assert_eq!(heard(&mut a).await, pair("a", "told"));
}

#[tokio::test]
async fn names_and_numbers_are_bounded() {
    let db = db().await;
    let database = db.database();
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    for channels in [vec![], vec![String::new()], vec!["x".repeat(64)], vec!["a\0".into()], many] {
        let error = database.listen(&channels).await.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Usage, "{channels:?}");
    }
    drop(listen(&db, &[&"x".repeat(63)]).await);
    let mut listeners = Vec::new();
    for _ in 0..256 {
        listeners.push(listen(&db, &["a"]).await);
    }
    let error = database.listen(&["a".to_owned()]).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    listeners.pop();
    listen(&db, &["a"]).await;
}

#[tokio::test]
async fn a_slow_listener_gets_a_gap_and_goes_on() {
    let db = db().await;
    let (mut slow, mut quick) = (listen(&db, &["a"]).await, listen(&db, &["a"]).await);
    for _ in 0..3 {
        let sql = "SELECT count(pg_notify('a', i::text)) FROM generate_series(1, 1000) i";
        db.query(sql, &[]).await.unwrap();
        for n in 1..=1000 {
            assert_eq!(heard(&mut quick).await, pair("a", &n.to_string()));
        }
    }
    assert_eq!(slow.next().await, Some(Event::Gap));
    let (_, first) = heard(&mut slow).await;
    let mut last = first.parse::<u32>().unwrap();
    while last != 1000 {
        let (_, next) = heard(&mut slow).await;
        let next = next.parse::<u32>().unwrap();
        assert_eq!(next, last + 1);
        last = next;
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_everyone_told() {
    let db = db().await;
    let (mut a, mut b) = (listen(&db, &["a"]).await, listen(&db, &["b"]).await);
    for round in ["1", "2"] {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        assert_eq!(db.values(kill, &[]).await, ["True"]);
        assert_eq!(a.next().await, Some(Event::Gap));
        assert_eq!(b.next().await, Some(Event::Gap));
        notify(&db, "a", round).await;
        notify(&db, "b", round).await;
        assert_eq!(heard(&mut a).await, pair("a", round));
        assert_eq!(heard(&mut b).await, pair("b", round));
    }
    // Those who come later have missed nothing.
    let mut late = listen(&db, &["a"]).await;
    notify(&db, "a", "late").await;
    assert_eq!(heard(&mut late).await, pair("a", "late"));
}

#[tokio::test]
async fn nobody_listening_nothing_is_heard_and_the_connection_ends() {
    let db = db().await;
    let a = listen(&db, &["a"]).await;
    assert_eq!(listening(&db).await, "1");
    drop(a);
    // The connection is kept for a while, without the channel.
    let mut b = listen(&db, &["b"]).await;
    notify(&db, "a", "1").await;
    notify(&db, "b", "2").await;
    assert_eq!(heard(&mut b).await, pair("b", "2"));
    drop(b);
    eventually("the connection ends", || async { listening(&db).await == "0" }).await;
    let mut a = listen(&db, &["a"]).await;
    notify(&db, "a", "3").await;
    assert_eq!(heard(&mut a).await, pair("a", "3"));
}

#[tokio::test]
async fn a_closed_database_ends_its_listeners() {
    let db = db().await;
    let (database, mut a) = (db.database(), listen(&db, &["a"]).await);
    let (next, ()) = tokio::join!(a.next(), db.databases.close());
    assert_eq!(next, None);
    let error = database.listen(&["a".to_owned()]).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Connection);
    eventually("the connection ends", || async { listening(&db).await == "0" }).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_for_new_listeners_and_a_gap_for_old_ones() {
    let own = own_server().await;
    let db = crate::support::db_on(&own.server, Default::default()).await;
    let mut old = listen(&db, &["a"]).await;
    let pid = crate::faults::postmaster(own.server.socket_dir()).unwrap();
    crate::faults::kill(pid, rustix::process::Signal::QUIT);
    let refused = || async { db.database().listen(&["b".to_owned()]).await.is_err() };
    // Perhaps it is back before anyone asks.
    let _ = refused().await;
    assert_eq!(old.next().await, Some(Event::Gap));
    eventually("it is back", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
    notify(&db, "a", "back").await;
    assert_eq!(heard(&mut old).await, pair("a", "back"));
    let count = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND $1";
    assert_eq!(db.value(count, &[P::Bool(true)]).await, "1");
    drop(own);
    let error = db.database().listen(&["b".to_owned()]).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, true));
}
