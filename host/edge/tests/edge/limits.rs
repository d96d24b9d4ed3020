//! Every limit, broken.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fasterapi_edge::{BodyError, Limits};
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::support::*;

#[tokio::test]
async fn max_connections() {
    let config = limited(Limits { max_connections: NonZeroU32::new(2).unwrap(), ..Limits::default() });
    let server = serve(config, echo);
    let (mut first, mut second) = (Wire::connect(&server).await, Wire::connect(&server).await);
    assert_eq!(first.get("/").await.status, 200);
    assert_eq!(second.get("/").await.status, 200);
    let mut third = Wire::connect(&server).await;
    third.send("GET /third HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert!(timeout(SHORT, third.answer()).await.is_err(), "a third connection is served");
    drop(second);
    let answer = third.answer().await;
    assert_eq!(answer.text(), "GET /third host=t\n");
}

#[tokio::test]
async fn header_bytes_and_count_and_uri_bytes() {
    let limits = Limits { header_bytes: 4096, header_count: 10, uri_bytes: 100, ..Limits::default() };
    let server = serve(limited(limits), echo);
    let get = |path: &str, fields: &str| format!("GET {path} HTTP/1.1\r\nhost: t\r\n{fields}\r\n");
    let path = |length: usize| format!("/{}", "p".repeat(length - 1));
    let large = format!("x: {}\r\n", "y".repeat(3900));
    let mut wire = Wire::connect(&server).await;
    for fits in [get("/", &large), get("/", &"x: y\r\n".repeat(9)), get(&path(100), "")] {
        wire.send(fits).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    only_answer(&server, get("/", &format!("{large}{large}"))).await.is_problem(431);
    only_answer(&server, get("/", &large.repeat(100))).await.is_problem(431);
    only_answer(&server, get("/", &"x: y\r\n".repeat(10))).await.is_problem(431);
    only_answer(&server, get(&path(101), "")).await.is_problem(414);
    only_answer(&server, get(&path(10_000), "")).await.is_problem(414);
}

#[tokio::test]
async fn many_headers_where_they_are_allowed() {
    let server = serve(limited(Limits { header_count: 500, ..Limits::default() }), echo);
    let fields = "x: y\r\n".repeat(499);
    let mut wire = Wire::connect(&server).await;
    wire.send(format!("GET / HTTP/1.1\r\nhost: t\r\n{fields}\r\n")).await;
    assert_eq!(wire.answer().await.status, 200);
}

#[tokio::test]
async fn header_read() {
    let server = serve(limited(Limits { header_read: SHORT, ..Limits::default() }), echo);
    for start in ["G", "GET / HTTP/1.1\r\nhost: t\r\nx", "P", "PRI * HTTP/2.0\r\n"] {
        only_answer(&server, start).await.is_problem(408);
    }
    // A slow client is cut though it never stops sending.
    let mut wire = Wire::connect(&server).await;
    let answer = async {
        wire.send("GET / HTTP/1.1\r\nhost: t\r\n").await;
        let (mut read, mut write) = wire.tcp.split();
        let drip = async {
            while tokio::io::AsyncWriteExt::write_all(&mut write, b"x: y\r\n").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        let mut first = [0; 12];
        tokio::select! {
            _ = tokio::io::AsyncReadExt::read_exact(&mut read, &mut first) => first,
            () = drip => panic!("reset without an answer"),
        }
    };
    assert_eq!(&timeout(PATIENCE, answer).await.unwrap(), b"HTTP/1.1 408");
    // The second head of a connection too.
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get("/").await.status, 200);
    wire.send("GET /second HTTP/1.1\r\n").await;
    wire.answer().await.is_problem(408);
}

#[tokio::test]
async fn body_bytes() {
    let (errors, mut seen) = mpsc::unbounded_channel();
    let server = serve(limited(Limits { body_bytes: 1000, ..Limits::default() }), move |request| {
        let errors = errors.clone();
        async move {
            let result = request.into_body().collect().await;
            errors.send(result.as_ref().err().copied()).unwrap();
            respond(result.map_or(0, |body| body.to_bytes().len()).to_string())
        }
    });
    let post = |framing: &str, body: &str| format!("POST / HTTP/1.1\r\nhost: t\r\n{framing}\r\n\r\n{body}");
    let mut wire = Wire::connect(&server).await;
    wire.send(post("content-length: 1000", &"x".repeat(1000))).await;
    assert_eq!(wire.answer().await.text(), "1000");
    assert_eq!(seen.recv().await, Some(None));
    // At once: nothing of the body has been sent, and the gateway is not asked.
    for framing in [
        "content-length: 1001",
        "content-length: 1001\r\nexpect: 100-continue",
        "content-length: 99999999999999999999",
    ] {
        only_answer(&server, post(framing, "")).await.is_problem(413);
    }
    let chunked = format!("1f4\r\n{}\r\n", "x".repeat(500)).repeat(3);
    only_answer(&server, post("transfer-encoding: chunked", &chunked)).await.is_problem(413);
    assert_eq!(seen.recv().await, Some(Some(BodyError::TooLarge { limit: 1000 })));
}

#[tokio::test]
async fn a_413_reaches_a_client_that_goes_on_sending() {
    let server = serve(limited(Limits { body_bytes: 1000, ..Limits::default() }), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 3000000\r\n\r\n").await;
    wire.answer().await.is_problem(413);
    // Closed at once, the connection would be reset by the first of these, and on many systems the answer lost
    // with it.
    for _ in 0..20 {
        wire.send(vec![b'x'; 1000]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn body_idle() {
    let (errors, mut seen) = mpsc::unbounded_channel();
    let server = serve(limited(Limits { body_idle: SHORT, ..Limits::default() }), move |request| {
        let errors = errors.clone();
        async move {
            errors.send(request.into_body().collect().await.err()).unwrap();
            respond("late")
        }
    });
    only_answer(&server, "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\n\r\nabc").await.is_problem(408);
    assert_eq!(seen.recv().await, Some(Some(BodyError::Timeout)));
}

#[tokio::test]
async fn a_slow_gateway_is_no_slow_body() {
    let server = serve(limited(Limits { body_idle: SHORT, ..Limits::default() }), |request| async {
        tokio::time::sleep(SHORT * 3).await;
        echo(request).await
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi").await;
    assert_eq!(wire.answer().await.text(), "POST / host=t\nhi");
}

#[tokio::test]
async fn write_idle() {
    let dropped = Arc::new(Notify::new());
    let notify = Arc::clone(&dropped);
    let server = serve(limited(Limits { write_idle: SHORT, ..Limits::default() }), move |_| {
        let notify = OnDrop(Arc::clone(&notify));
        async move {
            let (chunks, body) = fed();
            for _ in 0..1000 {
                chunks.unbounded_send(Ok(Bytes::from(vec![0; 64 * 1024]))).unwrap();
            }
            http::Response::new(
                body.map_frame(move |frame| {
                    let _ = &notify;
                    frame
                })
                .boxed_unsync(),
            )
        }
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    timeout(PATIENCE, dropped.notified()).await.expect("the response of a client that reads nothing is cut");
    let (rest, _) = wire.rest().await;
    assert!(rest.len() < 64_000_000 && !rest.ends_with(b"0\r\n\r\n"));
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn keep_alive() {
    let server = serve(limited(Limits { keep_alive: SHORT, ..Limits::default() }), |request| async {
        // Longer than the deadline: a request in flight is not idleness.
        tokio::time::sleep(SHORT * 3).await;
        echo(request).await
    });
    let mut silent = Wire::connect(&server).await;
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get("/").await.status, 200);
    assert_eq!(wire.get("/").await.status, 200);
    wire.closes().await;
    silent.closes().await;
}
