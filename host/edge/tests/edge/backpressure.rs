//! Who does not read is not sent to, and does not make us buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fasterapi_edge::{EdgeConfig, Limits};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::support::*;

const CHUNK: usize = 100_000;
const CHUNKS: usize = 1000;

/// A gateway that answers with 100 MB and counts what was taken of them.
fn generous(limits: Limits) -> (Server, Arc<AtomicUsize>) {
    let produced = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&produced);
    let server = serve(limited(limits), move |_| {
        let counted = Arc::clone(&counted);
        let frames = futures::stream::iter(0..CHUNKS).inspect_count(counted);
        std::future::ready(Response::new(StreamBody::new(frames).boxed_unsync()))
    });
    (server, produced)
}

trait InspectCount {
    fn inspect_count(
        self,
        counted: Arc<AtomicUsize>,
    ) -> impl futures::Stream<Item = Result<Frame<Bytes>, fasterapi_edge::BoxError>> + Send + 'static;
}

impl<S: futures::Stream<Item = usize> + Send + 'static> InspectCount for S {
    fn inspect_count(
        self,
        counted: Arc<AtomicUsize>,
    ) -> impl futures::Stream<Item = Result<Frame<Bytes>, fasterapi_edge::BoxError>> + Send + 'static {
        futures::StreamExt::map(self, move |_| {
            counted.fetch_add(CHUNK, Ordering::SeqCst);
            Ok(Frame::data(Bytes::from(vec![b'x'; CHUNK])))
        })
    }
}

/// Waits until nothing more is produced.
async fn settled(produced: &AtomicUsize) -> usize {
    let mut last = (0, 0);
    eventually("production stops", || {
        let now = produced.load(Ordering::SeqCst);
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        now > 0 && last.1 > 100
    })
    .await;
    last.0
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_the_gateways_body() {
    let (server, produced) = generous(Limits::default());
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let stopped = settled(&produced).await;
    // What lies in the two socket buffers is the kernel's.
    assert!(stopped < 20_000_000, "{stopped} bytes were produced for a client that reads nothing");
    assert_eq!(wire.answer().await.body.len(), CHUNK * CHUNKS);
}

#[tokio::test]
async fn the_same_with_http_2() {
    let (server, produced) = generous(Limits::default());
    let (mut client, _connection) = h2_client(&server).await;
    let response = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
    let stopped = settled(&produced).await;
    assert!(stopped < 1_000_000, "{stopped} bytes were produced for a client that reads nothing");
    // Another stream of the connection is not held up.
    let second = client.send_request(h2_request(&server, "HEAD", "/", "")).await.unwrap();
    assert_eq!(second.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), CHUNK * CHUNKS);
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_reset() {
    let (server, produced) = generous(Limits { write_idle: SHORT, ..Limits::default() });
    let (mut client, _connection) = h2_client(&server).await;
    let mut response = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
    settled(&produced).await;
    let failed = tokio::time::timeout(PATIENCE, async {
        // The deadline passes while nothing is read.
        tokio::time::sleep(SHORT * 4).await;
        while let Some(frame) = response.frame().await {
            if frame.is_err() {
                return true;
            }
        }
        false
    });
    assert!(failed.await.unwrap(), "the stream came to a clean end");
    assert!(produced.load(Ordering::SeqCst) < 2_000_000);
    let second = client.send_request(h2_request(&server, "HEAD", "/", "")).await.unwrap();
    assert_eq!(second.status(), 200, "the connection lives on");
}

#[tokio::test]
async fn a_slow_reader_is_not_a_stalled_one() {
    let (server, _) = generous(Limits { write_idle: SHORT * 6, ..Limits::default() });
    let (mut client, _connection) = h2_client(&server).await;
    let mut response = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
    let mut total = 0;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        total += response.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    total += response.into_body().collect().await.unwrap().to_bytes().len();
    assert_eq!(total, CHUNK * CHUNKS);
}

#[tokio::test]
async fn a_gateway_that_does_not_read_stops_the_client() {
    let server = serve(EdgeConfig::default(), |request| async {
        let _request = request;
        std::future::pending().await
    });
    let wire = Wire::connect(&server).await;
    let head = "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 16000000\r\n\r\n";
    wire.tcp.writable().await.unwrap();
    wire.tcp.try_write(head.as_bytes()).unwrap();
    let mut sent = 0;
    let send = async {
        while sent < 16_000_000 {
            wire.tcp.writable().await.unwrap();
            sent += wire.tcp.try_write(&[0; 65_536]).unwrap_or(0);
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(1), send).await.is_err(), "16 MB were taken");
}
