//! Statements side by side in one request, and what NOTIFY sends.

use std::time::Duration;

use fasterapi_tests::{
    eventually,
    http::{Protocol, get},
    logs,
};
use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::streams::Everything;
use crate::websockets::{open, text};

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
async fn transactions_of_one_request_wait_for_each_other() {
    assert_eq!(Everything::start().await.get("/two-transactions").await, "ab");
}

#[tokio::test]
async fn transactions_of_two_websockets_wait_for_each_other() {
    let app = Everything::start().await;
    app.get("/two-transactions").await;
    let addr = app.host.addr();
    let (mut first, mut second) = (open(addr, "/ws/turns").await, open(addr, "/ws/turns").await);
    first.send(Message::text("take")).await.unwrap();
    assert_eq!(text(&mut first).await, "took abx");
    second.send(Message::text("take")).await.unwrap();
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE turn%'";
    eventually!(app.sql(waits).await == json!([["1"]]));
    first.send(Message::text("give")).await.unwrap();
    assert_eq!(text(&mut first).await, "gave");
    assert_eq!(text(&mut second).await, "took abxx");
    second.send(Message::text("give")).await.unwrap();
    assert_eq!(text(&mut second).await, "gave");
}

#[tokio::test]
async fn a_statement_of_a_transaction_is_given_up() {
    let app = Everything::start().await;
    for _ in 0..3 {
        assert_eq!(app.get("/tx-timeout").await, json!(["savepoint", "transaction", [1, 3, 4]]));
        assert_eq!(app.get("/tx-gather").await, "goes on");
        assert_eq!(app.get("/tx-gather?retries=3").await, "goes on");
        app.nothing_runs("to be cancelled").await;
    }
}

#[tokio::test]
async fn other_tasks_go_on_beside_what_flows() {
    let heard = json!({"stream": true, "copy": true, "batch": true, "copied": 10});
    assert_eq!(Everything::start().await.get("/flows-aside").await, heard);
}

#[tokio::test]
async fn what_flows_is_given_up_in_its_middle() {
    let app = Everything::start().await;
    for _ in 0..2 {
        assert_eq!(app.get("/cancelled-flows").await, json!([6, 0]));
        app.nothing_runs("to be cancelled").await;
        app.nothing_runs("COPY flowed").await;
    }
}

#[tokio::test]
async fn what_would_wait_in_vain_is_refused() {
    let app = Everything::start().await;
    assert_eq!(
        app.get("/blocking-beside").await,
        json!(["another task waits for it: await this call too", 2])
    );
}

#[tokio::test]
async fn transactions_that_are_begun_side_by_side_are_bounded() {
    let app = Everything::start().await;
    let refusal =
        "more than 8 transactions, streams, copies, listeners and lent bodies are open in this instance";
    assert_eq!(app.get("/many-transactions?count=20").await, json!([8, [refusal]]));
    assert_eq!(app.get("/many-transactions?count=8").await, json!([8, []]));
}

#[tokio::test]
async fn what_is_forgotten_is_ended_and_the_instance_serves_on() {
    let app = Everything::start().await;
    for _ in 0..5 {
        assert_eq!(app.get("/forgotten").await, "nothing");
    }
    let discarded = logs::with("discarded");
    assert!(!discarded.iter().any(|record| record.spans.contains("/forgotten")), "{discarded:?}");
}

#[tokio::test]
async fn what_a_request_leaves_waiting_is_ended() {
    let app = Everything::with(|config| config.instance.background = Duration::from_millis(300)).await;
    assert_eq!(app.get("/left-waiting").await, "open");
    app.nothing_runs("to be left").await;
    assert_eq!(app.get("/two-transactions").await, "ab");
}

#[tokio::test]
async fn what_a_client_leaves_open_is_ended_and_the_instance_serves_on() {
    let app = Everything::start().await;
    app.sql("CREATE TABLE held (i int)").await;
    app.sql("INSERT INTO held VALUES (0)").await;
    for what in ["transaction", "waiting", "listener", "stream", "copy"] {
        for wait in [false, true] {
            let target = format!("/held?what={what}");
            let mut events = app.host.client().open(Protocol::H1, get(&target), false).await;
            assert_eq!(events.text().await, "data: begun\n\n");
            if wait && what != "listener" {
                events.text().await;
            }
            drop(events);
            eventually!(app.host.census().0 == app.host.census().1);
        }
    }
    app.nothing_runs("held").await;
    assert_eq!(app.sql("UPDATE held SET i = i + 1 RETURNING i").await, json!([["1"]]));
    let discarded = logs::with("discarded");
    assert!(!discarded.iter().any(|record| record.spans.contains("/held")), "{discarded:?}");
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
