//! Several servers, and which of them will do.

use super::{
    front::{Manner, front},
    server::{open, refusal, secure},
};

/// The port of the server that a URL leads to.
async fn port(url: &str) -> u16 {
    open(url).value("SELECT current_setting('port')::int", &[]).await.parse().unwrap()
}

fn url(ports: &[u16], options: &str) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://trusted@{}/postgres?sslmode=disable&{options}", hosts.join(","))
}

#[tokio::test]
async fn the_session_is_with_a_server_of_the_kind_wanted() {
    let secure = secure();
    let (primary, standby) = (secure.port, secure.standby());
    for (target, expected) in [
        ("any", standby),
        ("read-write", primary),
        ("primary", primary),
        ("read-only", standby),
        ("standby", standby),
        ("prefer-standby", standby),
    ] {
        let options = format!("target_session_attrs={target}");
        assert_eq!(port(&url(&[standby, primary], &options)).await, expected, "{target}");
        let expected = if target == "any" { primary } else { expected };
        assert_eq!(port(&url(&[1, primary, standby], &options)).await, expected, "{target}");
    }
    assert_eq!(port(&url(&[primary], "target_session_attrs=prefer-standby")).await, primary);
}

#[tokio::test]
async fn each_server_that_will_not_do_is_told_with_its_reason() {
    let secure = secure();
    let (primary, standby) = (secure.port, secure.standby());
    for (target, at, reason) in [
        ("read-write", standby, "takes no writes"),
        ("primary", standby, "is a standby"),
        ("read-only", primary, "takes writes"),
        ("standby", primary, "is no standby"),
    ] {
        let text = refusal(&url(&[1, at], &format!("target_session_attrs={target}"))).await;
        assert!(text.contains("127.0.0.1:1: Connection refused"), "{text}");
        assert!(text.contains(&format!("127.0.0.1:{at}: the server {reason}")), "{text}");
    }
    let text = refusal(&url(&[1, 2], "target_session_attrs=prefer-standby")).await;
    assert_eq!(text.matches("Connection refused").count(), 2, "{text}");
}

/// A session that may not write does not count as one that may, although the server is no standby.
#[tokio::test]
async fn what_takes_writes_is_the_session_not_the_server() {
    let secure = secure();
    let only = "options=-cdefault_transaction_read_only%3Don";
    let at = secure.port;
    assert_eq!(port(&url(&[at], &format!("{only}&target_session_attrs=read-only"))).await, at);
    assert_eq!(port(&url(&[at], &format!("{only}&target_session_attrs=primary"))).await, at);
    let text = refusal(&url(&[at], &format!("{only}&target_session_attrs=read-write"))).await;
    assert!(text.contains("takes no writes"), "{text}");
}

/// Servers before version 14 and poolers say nothing of it at log-in: they are asked.
#[tokio::test]
async fn servers_that_do_not_tell_are_asked() {
    let secure = secure();
    let old = front(secure, Manner::Old).await.port;
    for target in ["read-write", "primary", "prefer-standby"] {
        open(&url(&[old], &format!("target_session_attrs={target}"))).value("SELECT 1", &[]).await;
    }
    for (target, reason) in [("read-only", "takes writes"), ("standby", "is no standby")] {
        let text = refusal(&url(&[old], &format!("target_session_attrs={target}"))).await;
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn a_refused_user_is_not_tried_elsewhere() {
    let secure = secure();
    let other = front(secure, Manner::Old).await;
    let text = refusal(&format!(
        "postgres://either:wrong@127.0.0.1:{},127.0.0.1:{}/postgres?sslmode=disable",
        secure.port, other.port
    ))
    .await;
    assert!(text.contains("28P01"), "{text}");
    assert_eq!(other.connections.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn load_is_shared_between_servers() {
    let secure = secure();
    let one = front(secure, Manner::Old).await;
    let two = front(secure, Manner::Old).await;
    for _ in 0..40 {
        open(&url(&[one.port, two.port], "load_balance_hosts=random")).value("SELECT 1", &[]).await;
    }
    let counts = [&one, &two].map(|front| front.connections.load(std::sync::atomic::Ordering::Relaxed));
    // 40 of one kind come once in 2^39.
    assert!(counts[0] > 0 && counts[1] > 0 && counts[0] + counts[1] == 40, "{counts:?}");
}
