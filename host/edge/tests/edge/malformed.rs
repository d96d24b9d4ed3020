//! Requests that are no HTTP, or that two parsers would read in two ways: 400 and a close, and nothing of them
//! reaches the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fasterapi_edge::{BodyError, EdgeConfig};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::support::*;

const HEADS: &[&str] = &[
    // The smuggler's: two framings, or one that parsers disagree about.
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 4, 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: +4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: t\r\ncontent-length : 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: t\r\nx: y\r\n content-length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: t\r\nx: y\n\r\nabcd",
    "POST / HTTP/1.1\nhost: t\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: t\r\nx: y\rz: w\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: t\r\nx: \0\r\n\r\n",
    "GET / HTTP/1.1\r\n host: t\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: t\r\nx y: z\r\n\r\n",
    "\nGET / HTTP/1.1\r\nhost: t\r\n\r\n",
    // Whom for?
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: t\r\nhost: u\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: t, u\r\n\r\n",
    "GET / HTTP/1.1\r\nhost:\r\n\r\n",
    // What for?
    "GET  / HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET /a b HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET nowhere HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET /\u{e9} HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET /?q=\u{65e5} HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET /\u{1} HTTP/1.1\r\nhost: t\r\n\r\n",
    "GET /\r\nhost: t\r\n\r\n",
    "G{T / HTTP/1.1\r\nhost: t\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
];

#[tokio::test]
async fn a_malformed_head_is_answered_400_and_nothing_after_it_is_read() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = serve(EdgeConfig::default(), move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        echo(request)
    });
    for head in HEADS {
        for smuggled in ["", "GET /smuggled HTTP/1.1\r\nhost: t\r\n\r\n"] {
            let answer = only_answer(&server, format!("{head}{smuggled}")).await;
            assert_eq!(answer.status, 400, "{head:?}: {answer:?}");
            answer.is_problem(400);
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn requests_before_a_malformed_one_are_answered_first() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send("POST /1 HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nhost: t\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.text(), "POST /1 host=t\nhi");
    assert_eq!(wire.answer().await.text(), "GET /2 host=t\n");
    wire.answer().await.is_problem(400);
    wire.closes().await;
}

const BODIES: &[&str] = &[
    "Z\r\nabc\r\n0\r\n\r\n",
    "\r\n",
    "-1\r\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "3\nabc\r\n0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nabc0\r\n\r\n",
    "3;x\ny\r\nabc\r\n0\r\n\r\n",
    "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\n",
    "3\r\nabc\r\n0\r\n bad: trailer\r\n\r\n",
    "3\r\nabc\r\n0\r\nbad: trailer\n\r\n",
];

#[tokio::test]
async fn a_malformed_chunk_is_answered_400_and_ends_the_connection() {
    let (errors, mut seen) = mpsc::unbounded_channel();
    let server = serve(EdgeConfig::default(), move |request| {
        let errors = errors.clone();
        async move {
            assert_eq!(request.uri(), "/");
            errors.send(request.into_body().collect().await.err()).unwrap();
            respond("the gateway's own answer")
        }
    });
    for body in BODIES {
        let head = "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: t\r\n\r\n";
        let answer = only_answer(&server, format!("{head}{body}{smuggled}")).await;
        assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        answer.is_problem(400);
        assert_eq!(seen.recv().await, Some(Some(BodyError::Malformed)), "{body:?}");
    }
}

#[tokio::test]
async fn a_malformed_chunk_that_nobody_reads_still_ends_the_connection() {
    let server = serve(EdgeConfig::default(), |request| async move {
        assert_eq!(request.uri(), "/");
        respond("done")
    });
    let bad = "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n";
    let answer = only_answer(&server, format!("{bad}GET /smuggled HTTP/1.1\r\nhost: t\r\n\r\n")).await;
    assert_eq!(answer.text(), "done");
}
