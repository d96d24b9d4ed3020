//! Statements side by side in one request, and what NOTIFY sends.

use fasterapi_tests::{
    eventually,
    http::{Protocol, get},
};
use serde_json::json;

use super::streams::Everything;

#[tokio::test]
async fn statements_of_one_request_run_side_by_side() {
    assert_eq!(Everything::start().await.get("/gather?statements=4").await, json!({"sessions": 4}));
}

#[tokio::test]
async fn a_cancelled_statement_ends_on_the_server() {
    let app = Everything::start().await;
    for _ in 0..3 {
        assert_eq!(app.get("/cancelled").await, "ended");
    }
}

#[tokio::test]
async fn notifications_are_a_stream() {
    let app = Everything::start().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut events = app.host.client().open(protocol, get("/listen?channel=news&count=2"), false).await;
        assert_eq!(events.text().await, "data: listening\n\n");
        app.sql("SELECT pg_notify('news', 'one'), pg_notify('other', 'x')").await;
        assert_eq!(events.text().await, "data: news one\n\n");
        app.sql("SELECT pg_notify('news', 'two')").await;
        assert_eq!(events.text().await, "data: news two\n\n");
        assert!(events.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_lost_connection_is_a_gap() {
    let app = Everything::start().await;
    let mut events = app.host.client().open(Protocol::H1, get("/listen?channel=news&count=9"), false).await;
    assert_eq!(events.text().await, "data: listening\n\n");
    let listening = "pid <> pg_backend_pid() AND query ILIKE 'listen%'";
    let killed =
        app.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listening}")).await;
    assert_eq!(killed, json!([["True"]]));
    assert_eq!(events.text().await, "data: gap\n\n");
    app.sql("SELECT pg_notify('news', 'again')").await;
    assert_eq!(events.text().await, "data: news again\n\n");
    drop(events);
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE {listening}");
    eventually!(app.sql(&left).await == json!([["0"]]));
}

#[tokio::test]
async fn a_handler_waits_for_a_notification() {
    let app = Everything::start().await;
    assert_eq!(app.get("/listen-and-wait").await, json!([null, ["There", "payload"]]));
    assert_eq!(app.get("/leave-open?what=listener").await, "open");
    assert_eq!(app.get("/listen-and-wait").await, json!([null, ["There", "payload"]]));
}
