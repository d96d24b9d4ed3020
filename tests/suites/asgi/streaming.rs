//! Bodies in parts: both directions at once, as they come, with backpressure.

use fasterapi_tests::{
    Host,
    http::{Protocol, get, post},
    logs,
    uvicorn::Uvicorn,
    wait::settled,
};

const PROTOCOLS: [Protocol; 2] = [Protocol::H1, Protocol::H2];

/// Each part of the answer is read before the next part of the request is written: so neither side holds any back.
#[tokio::test]
async fn parts_arrive_before_the_next_is_sent() {
    let uvicorn = Uvicorn::shared().await.client();
    let host = Host::conformance().await.client();
    for (client, protocol) in [(uvicorn, Protocol::H1), (host, Protocol::H1), (host, Protocol::H2)] {
        let mut exchange = client.open(protocol, post("/bare/echo"), true).await;
        assert_eq!(exchange.status(), 200);
        assert_eq!(exchange.text().await, "ready\n");
        for number in 0..20 {
            exchange.write(format!("part {number}")).await;
            assert_eq!(exchange.text().await, format!("PART {number}"));
        }
        exchange.end();
        assert!(exchange.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn server_sent_events_come_one_by_one() {
    let host = Host::conformance().await.client();
    for protocol in PROTOCOLS {
        let mut events = host.open(protocol, get("/streams/events"), false).await;
        for number in 0..3 {
            assert_eq!(events.text().await, format!("event: tick\ndata: {number}\n\n"));
        }
        assert!(events.next().await.unwrap().is_none());
    }
}

/// 64 MiB of which nobody reads a byte: the app must come to a halt after what sockets and windows hold.
#[tokio::test]
async fn an_app_is_held_back_by_a_client_that_does_not_read() {
    let host = Host::conformance().await.client();
    for protocol in PROTOCOLS {
        let token = logs::token("held");
        let target = format!("/streams/big?parts=1024&token={token}");
        let stream = host.open(protocol, get(&target), false).await;
        let said = settled(|| logs::with(&token).len()).await;
        assert!(said < 40, "{said} times 16 parts of 64 KiB were produced for a client that reads nothing");
        let answer = stream.answer().await.expect(200);
        assert_eq!(answer.body.len(), 64 << 20);
        assert!(answer.body.chunks(65536).enumerate().all(|(number, part)| part[0] == (number % 251) as u8));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_whole_body() {
    let host = Host::conformance().await.client();
    for protocol in PROTOCOLS {
        let answer = host.send_by(protocol, get("/streams/broken")).await;
        assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "the beginning", false));
    }
}
