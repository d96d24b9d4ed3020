//! Passwords: which ways of log-in take them, and where they come from.

use std::{fs, sync::Arc};

use super::{
    front::{Manner, front, tls},
    server::{encrypted, open, open_with, refusal, secure},
};
use fasterapi_postgres::PgErrorKind;

use crate::support::{eventually, pack, tx_value};

#[tokio::test]
async fn a_log_in_is_bound_to_the_servers_certificate() {
    let secure = secure();
    let url = |user: &str, options: &str| secure.url("127.0.0.1", user, options);
    assert!(encrypted(&url("secured:pw", "sslmode=require&channel_binding=require")).await.0);
    assert!(encrypted(&url("secured:pw", "sslmode=require&channel_binding=disable")).await.0);
    for (user, options) in [
        // Without TLS there is nothing to bind to.
        ("plain:pw", "sslmode=disable&channel_binding=require"),
        ("either:pw", "sslmode=disable&channel_binding=require"),
        // And these bind to nothing.
        ("old:pw", "sslmode=require&channel_binding=require"),
        ("clear:pw", "sslmode=require&channel_binding=require"),
        ("trusted", "sslmode=require&channel_binding=require"),
    ] {
        let text = refusal(&url(user, options)).await;
        assert!(text.contains("channel_binding=require demands"), "{user} {options}: {text}");
    }
}

#[tokio::test]
async fn only_the_ways_of_log_in_that_are_allowed_are_answered() {
    let secure = secure();
    let url = |user: &str, ways: &str| {
        secure.url("127.0.0.1", &format!("{user}:pw"), &format!("sslmode=disable&require_auth={ways}"))
    };
    for (user, ways, reason) in [
        ("clear", "scram-sha-256", "the server asks for the password in clear text, which require_auth"),
        ("old", "scram-sha-256", "the server asks for the password's MD5 hash, which require_auth"),
        ("trusted", "scram-sha-256,md5", "the server lets anybody in, which require_auth"),
        ("either", "md5,none", "the server asks for SCRAM, which require_auth"),
        ("clear", "!password", "the server asks for the password in clear text, which require_auth"),
    ] {
        let text = refusal(&url(user, ways)).await;
        assert!(text.contains(reason), "{user} {ways}: {text}");
    }
    for (user, ways) in [
        ("clear", "password"),
        ("old", "md5,scram-sha-256"),
        ("trusted", "none"),
        ("either", "scram-sha-256"),
        ("either", "!password,!md5,!none"),
    ] {
        open(&url(user, ways)).value("SELECT 1", &[]).await;
    }
}

/// Someone in the middle, with a certificate of his own, passes all on: the binding gives him away.
#[tokio::test]
async fn who_stands_in_the_middle_is_found_out() {
    let secure = secure();
    let middle = secure.stranger.server("middle", &["localhost"], |_| ());
    // Both ends speak TLS: the server must offer the binding.
    let port = super::front::middle(secure, tls(&middle, &[])).await;
    let url =
        |options: &str| format!("postgres://secured:pw@localhost:{port}/postgres?sslmode=require&{options}");
    let text = refusal(&url("channel_binding=require")).await;
    assert!(text.contains("channel binding"), "{text}");
    let text = refusal(&url("channel_binding=prefer")).await;
    assert!(text.contains("channel binding"), "{text}");
    assert!(encrypted(&url("channel_binding=disable")).await.0);
}

#[tokio::test]
async fn wrong_and_missing_passwords_are_told_apart() {
    let secure = secure();
    for user in ["either", "old", "clear"] {
        let wrong = refusal(&secure.url("127.0.0.1", &format!("{user}:wrong"), "sslmode=disable")).await;
        let missing = refusal(&secure.url("127.0.0.1", user, "sslmode=disable")).await;
        assert!(
            wrong.contains(&format!("password authentication failed for user \"{user}\" (sqlstate 28P01)")),
            "{wrong}"
        );
        assert!(missing.contains("there is none for this host, database and user"), "{missing}");
        open(&secure.url("127.0.0.1", &format!("{user}:pw"), "sslmode=disable")).value("SELECT 1", &[]).await;
    }
}

#[tokio::test]
async fn a_guest_learns_nothing_of_a_refused_log_in() {
    let secure = secure();
    let db = open(&secure.url("127.0.0.1", "either:wrong", "sslmode=disable"));
    let error = db.error("SELECT 1", &[]).await;
    assert_eq!(error.sqlstate(), Some("28P01"));
    let shown = format!("{error} {:?}", error.report);
    assert!(!shown.contains("either") && !shown.contains("127.0.0.1") && !shown.contains("wrong"), "{shown}");
}

#[tokio::test]
async fn a_line_of_the_password_file_opens_its_server() {
    let secure = secure();
    let line = format!("127.0.0.1:{}:postgres:either:pw\n", secure.port);
    let file = secure.file("pgpass", &line);
    let url =
        |host: &str| secure.url(host, "either", &format!("sslmode=disable&passfile={}", file.display()));
    open(&url("127.0.0.1")).value("SELECT 1", &[]).await;
    assert!(refusal(&url("localhost")).await.contains("there is none for this host"));
}

/// The password changes while the pool runs: sessions that are in stay in, the next one uses the new one.
#[tokio::test]
async fn a_rotated_password_is_picked_up() {
    let secure = secure();
    let file = secure.file("rotated", "first\n");
    let db = open(&secure.url("127.0.0.1", "rotated", &format!("password_file={}", file.display())));
    let old = db.begin().await;
    let pid = tx_value(&old, "SELECT pg_backend_pid()").await;
    secure.sql("ALTER ROLE rotated PASSWORD 'second'");
    // Not yet in the file: a new session is refused, and the call is told so; the old one goes on.
    let refused = db.database().begin(Default::default()).await.err().unwrap();
    assert_eq!((refused.kind, refused.sqlstate()), (PgErrorKind::Connection, Some("28P01")), "{refused:?}");
    assert_eq!(tx_value(&old, "SELECT pg_backend_pid()").await, pid);
    // As a mounted secret changes: by a rename.
    let newer = secure.file("rotated.new", "second\n");
    fs::rename(newer, &file).unwrap();
    eventually("the new password is used", || async {
        db.database().begin(Default::default()).await.is_ok()
    })
    .await;
    assert_eq!(tx_value(&old, "SELECT pg_backend_pid()").await, pid);
    old.commit().await.unwrap();
    secure.sql("ALTER ROLE rotated PASSWORD 'first'");
}

/// It changes between the read and the log-in: what is refused is read again.
#[tokio::test]
async fn a_password_that_changes_during_a_log_in_is_read_again() {
    let secure = secure();
    let file = secure.file("racing", "stale\n");
    let behind = file.clone();
    let front = front(secure, Manner::After(Arc::new(move || fs::write(&behind, "pw\n").unwrap()))).await;
    let options = format!("sslmode=disable&password_file={}", file.display());
    let url = format!("postgres://either@127.0.0.1:{}/postgres?{options}", front.port);
    let db = open_with(&url, crate::support::one_session());
    db.database().query("SELECT 1", &pack(&[])).await.unwrap();
    assert_eq!(front.connections.load(std::sync::atomic::Ordering::Relaxed), 2);
}
