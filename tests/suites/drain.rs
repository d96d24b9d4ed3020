//! The end of a server: what is in flight finishes, nothing new begins.

use std::time::Duration;

use fasterapi_tests::{
    Guest, Host, eventually,
    http::{Protocol, get, post},
};

const PROTOCOLS: [Protocol; 2] = [Protocol::H1, Protocol::H2];

#[tokio::test]
async fn requests_in_flight_finish_and_new_connections_are_refused() {
    for protocol in PROTOCOLS {
        let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
        let client = host.client();
        let mut exchange = client.open(protocol, post("/bare/echo"), true).await;
        assert_eq!(exchange.text().await, "ready\n");
        host.drain();
        eventually!(client.try_connect(Protocol::H1).await.is_err());
        exchange.write("still here").await;
        assert_eq!(exchange.text().await, "STILL HERE");
        exchange.end();
        assert!(exchange.next().await.unwrap().is_none());
        let report = host.ended().await;
        assert_eq!((report.cut_connections, report.cut_requests), (0, 0));
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let mut connections = Vec::new();
    for protocol in PROTOCOLS {
        let mut connection = host.client().connect(protocol).await;
        connection.send(get("/responses/text")).await.expect(200);
        connections.push(connection);
    }
    assert_eq!(host.stop().await.cut_requests, 0);
}

#[tokio::test]
async fn a_drain_has_a_deadline() {
    let host =
        Host::start(Guest::CONFORMANCE, |config| config.edge.drain_deadline = Duration::from_millis(300))
            .await;
    let mut exchange = host.client().open(Protocol::H1, post("/bare/echo"), true).await;
    assert_eq!(exchange.text().await, "ready\n");
    assert_eq!(host.stop().await.cut_requests, 1);
    assert!(exchange.next().await.is_err(), "what was cut must not look whole");
}

#[tokio::test]
async fn a_second_signal_cuts_what_is_in_flight() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let mut exchange = host.client().open(Protocol::H1, post("/bare/echo"), true).await;
    assert_eq!(exchange.text().await, "ready\n");
    host.drain();
    host.force();
    assert_eq!(host.ended().await.cut_requests, 1);
    assert!(exchange.next().await.is_err());
}

/// Work behind a response is work in flight, too.
#[tokio::test]
async fn background_tasks_are_not_lost() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let token = fasterapi_tests::logs::token("drained");
    let target = format!("/concurrency/background?token={token}&seconds=1");
    host.client().send(get(&target)).await.expect(200);
    host.stop().await;
    assert!(fasterapi_tests::logs::have(&format!("{token} done in the background")));
}
