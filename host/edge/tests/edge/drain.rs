//! The end of an edge.

use std::time::Duration;

use bytes::Bytes;
use fasterapi_edge::{DrainReport, EdgeConfig};
use http::Response;
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::disconnect::{Living, stuck};
use crate::support::*;

async fn report(server: Server) -> DrainReport {
    timeout(PATIENCE, server.task).await.expect("serve returns").unwrap()
}

#[tokio::test]
async fn a_drain_lets_requests_finish_and_takes_no_more() {
    let (chunks, body) = fed();
    let body = std::sync::Mutex::new(Some(body));
    let server = serve(EdgeConfig::default(), move |_| {
        let body = body.lock().unwrap().take().unwrap();
        std::future::ready(Response::new(body))
    });
    let mut idle = Wire::connect(&server).await;
    let mut silent = Wire::connect(&server).await;
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    wire.head().await;
    server.shutdown.begin();
    silent.closes().await;
    idle.closes().await;
    eventually("the port is closed", || std::net::TcpStream::connect(server.addr).is_err()).await;
    chunks.unbounded_send(Ok(Bytes::from_static(b"last words"))).unwrap();
    drop(chunks);
    assert_eq!(wire.chunk().await.unwrap(), b"last words");
    assert_eq!(wire.chunk().await, None);
    wire.closes().await;
    assert_eq!(report(server).await, DrainReport::default());
}

#[tokio::test]
async fn an_idle_keep_alive_connection_is_closed_by_a_drain() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get("/").await.status, 200);
    server.shutdown.begin();
    wire.closes().await;
    assert_eq!(report(server).await, DrainReport::default());
}

#[tokio::test]
async fn http_2_clients_are_told_to_go_away() {
    let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let opened = std::sync::Arc::clone(&gate);
    let server = serve(EdgeConfig::default(), move |request| {
        let (gate, asked) = (std::sync::Arc::clone(&gate), asked.clone());
        async move {
            asked.send(()).await.unwrap();
            let _permit = gate.acquire().await.unwrap();
            echo(request).await
        }
    });
    let (mut client, connection) = h2_client(&server).await;
    let pending = tokio::spawn(client.send_request(h2_request(&server, "GET", "/slow", "")));
    was_asked.recv().await.unwrap();
    server.shutdown.begin();
    eventually("the port is closed", || std::net::TcpStream::connect(server.addr).is_err()).await;
    opened.add_permits(1);
    let response = pending.await.unwrap().unwrap();
    assert!(response.into_body().collect().await.unwrap().to_bytes().starts_with(b"GET "));
    // The client is still there: only GOAWAY ends its connection.
    timeout(PATIENCE, connection).await.expect("the connection ends").unwrap().unwrap();
    drop(client);
    assert_eq!(report(server).await, DrainReport::default());
}

#[tokio::test]
async fn the_drain_deadline_cuts_what_is_left() {
    let living = Living::default();
    let config = EdgeConfig { drain_deadline: SHORT, ..EdgeConfig::default() };
    let held = living.clone();
    let server = serve(config, move |_| {
        let life = held.begin();
        async move {
            let _life = life;
            std::future::pending().await
        }
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let (mut client, _connection) = h2_client(&server).await;
    let pending: Vec<_> =
        (0..2).map(|_| tokio::spawn(client.send_request(h2_request(&server, "GET", "/", "")))).collect();
    living.are(3).await;
    server.shutdown.begin();
    let report = report(server).await;
    assert_eq!((report.cut_connections, report.cut_requests), (2, 3));
    living.are(0).await;
    for request in pending {
        assert!(request.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn force_ends_it_at_once() {
    let living = Living::default();
    let server = stuck(&living);
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    living.are(1).await;
    server.shutdown.begin();
    assert!(TcpStream::connect(server.addr).await.is_err() || !server.task.is_finished());
    server.shutdown.force();
    let report = report(server).await;
    assert_eq!((report.cut_connections, report.cut_requests), (1, 1));
    living.are(0).await;
}

#[tokio::test]
async fn a_shutdown_that_began_before_serving_ends_it() {
    let server =
        serve(EdgeConfig { drain_deadline: Duration::from_secs(3600), ..EdgeConfig::default() }, echo);
    server.shutdown.begin();
    server.shutdown.begin();
    assert_eq!(report(server).await, DrainReport::default());
}
