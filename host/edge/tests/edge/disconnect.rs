//! A client that goes away takes its request with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fasterapi_edge::{BodyError, EdgeConfig};
use http::Response;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::support::*;

/// Counts what lives.
#[derive(Clone, Default)]
pub struct Living(Arc<AtomicUsize>);

pub struct Life(Living);

impl Living {
    pub fn begin(&self) -> Life {
        self.0.fetch_add(1, Ordering::SeqCst);
        Life(self.clone())
    }

    pub async fn are(&self, count: usize) {
        eventually("as many live as expected", || self.0.load(Ordering::SeqCst) == count).await;
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A gateway that never answers.
pub fn stuck(living: &Living) -> Server {
    let living = living.clone();
    serve(EdgeConfig::default(), move |request| {
        let life = living.begin();
        async move {
            let _life = life;
            let _ = request.into_body().collect().await;
            std::future::pending().await
        }
    })
}

/// A gateway whose body never ends.
pub fn endless(living: &Living) -> Server {
    let living = living.clone();
    serve(EdgeConfig::default(), move |_| {
        let life = living.begin();
        async move {
            let (chunks, body) = fed();
            chunks.unbounded_send(Ok(Bytes::from_static(b"first"))).unwrap();
            // The sender lives as long as the body: it neither ends nor gives more.
            let body = body.map_frame(move |frame| {
                let _ = (&life, &chunks);
                frame
            });
            Response::new(body.boxed_unsync())
        }
    })
}

#[tokio::test]
async fn a_disconnect_drops_the_gateways_future() {
    let living = Living::default();
    let server = stuck(&living);
    for request in [
        "GET / HTTP/1.1\r\nhost: t\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(request).await;
        living.are(1).await;
        drop(wire);
        living.are(0).await;
    }
}

#[tokio::test]
async fn a_disconnect_drops_the_response_body() {
    let living = Living::default();
    let server = endless(&living);
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    wire.head().await;
    assert_eq!(wire.chunk().await.unwrap(), b"first");
    living.are(1).await;
    drop(wire);
    living.are(0).await;
}

#[tokio::test]
async fn the_same_with_http_2() {
    let living = Living::default();
    for server in [stuck(&living), endless(&living)] {
        let mut wire = Wire::connect(&server).await;
        wire.send([PREFACE, &get_frame(1), &get_frame(3)].concat()).await;
        living.are(2).await;
        wire.send(reset_frame(1)).await;
        living.are(1).await;
        drop(wire);
        living.are(0).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_seen_by_the_gateway() {
    let (errors, mut seen) = mpsc::unbounded_channel();
    let server = serve(EdgeConfig::default(), move |request| {
        let errors = errors.clone();
        async move {
            errors.send(request.into_body().collect().await.err()).unwrap();
            respond("")
        }
    });
    for request in [
        "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhi",
        "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi",
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(request).await;
        drop(wire);
        assert_eq!(seen.recv().await, Some(Some(BodyError::ClientGone)));
    }
}
