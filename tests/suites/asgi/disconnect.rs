//! Clients that leave: the app hears of it, and nothing is taken for whole that is not.

use fasterapi_tests::{
    Host, eventually,
    http::{Protocol, get, post},
    logs,
};

const PROTOCOLS: [Protocol; 2] = [Protocol::H1, Protocol::H2];

#[tokio::test]
async fn a_stream_stops_when_its_client_leaves() {
    let host = Host::conformance().await;
    for protocol in PROTOCOLS {
        let token = logs::token("forever");
        let mut stream =
            host.client().open(protocol, get(&format!("/streams/forever?token={token}")), false).await;
        assert_eq!(stream.text().await.lines().next(), Some("tick"));
        assert!(!logs::have(&format!("{token} stopped")));
        drop(stream);
        eventually!(logs::have(&format!("{token} stopped")));
    }
}

#[tokio::test]
async fn an_app_that_asks_learns_that_its_client_left() {
    let host = Host::conformance().await;
    for protocol in PROTOCOLS {
        let token = logs::token("watch");
        let waiting =
            host.client().begin(protocol, get(&format!("/streams/watch?token={token}")), false).await;
        eventually!(logs::have(&format!("{token} began")));
        waiting.leave();
        eventually!(logs::have(&format!("{token} saw the client leave")));
    }
}

#[tokio::test]
async fn an_upload_cut_short_never_looks_whole() {
    let host = Host::conformance().await;
    for protocol in PROTOCOLS {
        for declared in [false, true] {
            let token = logs::token("cut");
            let mut ask = post(&format!("/streams/cut?token={token}"));
            if declared {
                ask = ask.header("content-length", "1000000");
            }
            let mut upload = host.client().begin(protocol, ask, true).await;
            upload.write(vec![b'x'; 100_000]).await;
            eventually!(logs::have(&format!("{token} began")));
            upload.leave();
            eventually!(logs::have(&format!("{token} was cut after")), "{protocol:?}, declared: {declared}");
            assert!(!logs::have(&format!("{token} was whole")));
        }
    }
}

#[tokio::test]
async fn an_upload_is_whole_when_it_is() {
    let host = Host::conformance().await;
    for protocol in PROTOCOLS {
        let token = logs::token("whole");
        let mut upload =
            host.client().begin(protocol, post(&format!("/streams/cut?token={token}")), true).await;
        upload.write(vec![b'x'; 100_000]).await;
        upload.end();
        assert_eq!(upload.answer().await.expect(200).json()["length"], 100_000);
        eventually!(logs::have(&format!("{token} was whole with 100000 bytes")));
    }
}

#[tokio::test]
async fn instances_of_clients_that_left_serve_again() {
    let host = Host::start(fasterapi_tests::Guest::CONFORMANCE, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
    });
    let host = host.await;
    for _ in 0..3 {
        let token = logs::token("again");
        let target = format!("/streams/forever?token={token}");
        let mut stream = host.client().open(Protocol::H1, get(&target), false).await;
        stream.text().await;
        drop(stream);
        eventually!(logs::have(&format!("{token} stopped")));
        host.client().send(get("/responses/text")).await.expect(200);
    }
    eventually!(host.census() == (1, 1));
}
