//! What a gateway's response becomes.

use bytes::Bytes;
use fasterapi_edge::{EdgeConfig, ResponseBody};
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::support::*;

/// A server whose every answer is made by `make`.
fn answering(make: impl Fn() -> Response<ResponseBody> + Send + Sync + 'static) -> Server {
    serve(EdgeConfig::default(), move |_| std::future::ready(make()))
}

fn with(body: ResponseBody, fields: &[(&'static str, &'static str)]) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    for (name, value) in fields {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

fn stream(chunks: &[&'static str]) -> ResponseBody {
    let frames: Vec<_> =
        chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))).collect();
    StreamBody::new(futures::stream::iter(frames)).boxed_unsync()
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    for (make, length) in [
        ((|| with(full("hello"), &[])) as fn() -> Response<ResponseBody>, Some("5")),
        (|| with(full("hello"), &[("content-length", "5")]), Some("5")),
        (|| with(full(""), &[("content-length", "5")]), Some("5")),
        (|| with(full(""), &[("content-length", "0")]), Some("0")),
        (|| with(full(""), &[]), None),
        (|| with(stream(&["hel", "lo"]), &[]), None),
    ] {
        let server = answering(make);
        let (mut client, _connection) = h2_client(&server).await;
        let answer = client.send_request(h2_request(&server, "HEAD", "/", "")).await.unwrap();
        assert_eq!(
            answer.headers().get("content-length").map(HeaderValue::as_bytes),
            length.map(str::as_bytes)
        );
        let mut wire = Wire::connect(&server).await;
        for _ in 0..2 {
            wire.send("HEAD / HTTP/1.1\r\nhost: t\r\n\r\n").await;
            let (status, head) = wire.head().await;
            let answer = Answer { status, head, body: Vec::new() };
            assert_eq!(answer.header("content-length"), length);
        }
        // Nothing but the second head was sent.
        wire.send("HEAD / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
        wire.head().await;
        wire.closes().await;
    }
}

#[tokio::test]
async fn statuses_without_content_have_none() {
    for status in [204, 205, 304] {
        let server = answering(move || {
            let mut response = with(full("not allowed"), &[("content-length", "11")]);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        });
        let mut wire = Wire::connect(&server).await;
        for _ in 0..2 {
            wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
            let (found, head) = wire.head().await;
            assert_eq!(found, status);
            let expected = (status == 205).then_some("0");
            let answer = Answer { status, head, body: Vec::new() };
            assert_eq!(answer.header("content-length"), expected, "{answer:?}");
            assert_eq!(answer.header("transfer-encoding"), None);
        }
    }
}

#[tokio::test]
async fn hop_by_hop_headers_are_dropped() {
    let server = answering(|| {
        with(
            full("hello"),
            &[
                ("connection", "close, x-secret"),
                ("x-secret", "1"),
                ("transfer-encoding", "gzip, chunked"),
                ("keep-alive", "timeout=1"),
                ("upgrade", "h2c"),
                ("te", "trailers"),
                ("proxy-connection", "close"),
                ("x-kept", "1"),
            ],
        )
    });
    let mut wire = Wire::connect(&server).await;
    for _ in 0..2 {
        let answer = wire.get("/").await;
        assert_eq!(answer.text(), "hello");
        for name in
            ["connection", "x-secret", "transfer-encoding", "keep-alive", "upgrade", "te", "proxy-connection"]
        {
            assert_eq!(answer.header(name), None, "{name}");
        }
        assert_eq!(answer.header("x-kept"), Some("1"));
        assert_eq!(answer.header("content-length"), Some("5"));
    }
}

#[tokio::test]
async fn repeated_headers_stay_repeated() {
    let server = answering(|| with(full(""), &[("set-cookie", "a=1"), ("set-cookie", "b=2")]));
    let answer = Wire::connect(&server).await.get("/").await;
    assert_eq!(answer.head.matches("set-cookie: ").count(), 2);
}

#[tokio::test]
async fn a_stream_is_chunked_and_may_declare_its_length() {
    let server = answering(|| with(stream(&["hel", "", "lo"]), &[]));
    let answer = Wire::connect(&server).await.get("/").await;
    assert_eq!((answer.text(), answer.header("transfer-encoding")), ("hello", Some("chunked")));
    let server = answering(|| with(stream(&["hel", "lo"]), &[("content-length", "5")]));
    let mut wire = Wire::connect(&server).await;
    for _ in 0..2 {
        let answer = wire.get("/").await;
        assert_eq!((answer.text(), answer.header("transfer-encoding")), ("hello", None));
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_sent_is_answered_500() {
    for make in [
        (|| with(full("hello"), &[("content-length", "4")])) as fn() -> Response<ResponseBody>,
        || with(full("hello"), &[("content-length", "6")]),
        || with(full("hello"), &[("content-length", "five")]),
        || with(full("hello"), &[("content-length", "5"), ("content-length", "5")]),
        || {
            let mut response = with(full(""), &[]);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response
        },
        || {
            let mut response = with(full(""), &[]);
            *response.status_mut() = StatusCode::EARLY_HINTS;
            response
        },
    ] {
        let server = answering(make);
        let mut wire = Wire::connect(&server).await;
        for _ in 0..2 {
            let answer = wire.get("/").await;
            assert_eq!(answer.status, 500);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_declared_is_cut() {
    for (chunks, length) in [(&["hel", "lo!"][..], "5"), (&["hel"], "5"), (&[], "5")] {
        let server = answering(move || with(stream(chunks), &[("content-length", length)]));
        let mut wire = Wire::connect(&server).await;
        wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\nGET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let (rest, _) = wire.rest().await;
        let text = String::from_utf8(rest).unwrap();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body.len() < 5, "{text:?}");
    }
}

#[tokio::test]
async fn an_error_in_the_body_is_never_a_clean_end() {
    let failing = |declared: Option<&'static str>| {
        move |_| async move {
            let (chunks, body) = fed();
            chunks.unbounded_send(Ok(Bytes::from_static(b"first"))).unwrap();
            chunks.unbounded_send(Err("the guest trapped".into())).unwrap();
            let fields: Vec<_> = declared.map(|length| ("content-length", length)).into_iter().collect();
            with(body, &fields)
        }
    };
    for (declared, version) in [(None, "1.1"), (Some("10"), "1.1"), (Some("10"), "1.0"), (None, "1.0")] {
        let server = serve(EdgeConfig::default(), failing(declared));
        let mut wire = Wire::connect(&server).await;
        wire.send(format!("GET / HTTP/{version}\r\nhost: t\r\n\r\n")).await;
        let (rest, clean) = wire.rest().await;
        let text = String::from_utf8(rest).unwrap();
        assert!(!text.contains("trapped"), "{text:?}");
        let complete = match (declared, version) {
            (Some(_), _) => text.ends_with("firstXXXXX"),
            (None, "1.1") => text.ends_with("0\r\n\r\n"),
            // The connection's end is the body's: only a reset tells.
            _ => clean,
        };
        assert!(!complete, "{declared:?} {version}: {text:?}");
    }
}

/// Bodies that break off at once: what came before reaches the client all the same.
#[tokio::test]
async fn what_precedes_an_error_is_sent() {
    for parts in [&[][..], &["first"], &["first", "second"]] {
        let server = answering(move || {
            let (chunks, body) = fed();
            parts
                .iter()
                .for_each(|part| chunks.unbounded_send(Ok(Bytes::from_static(part.as_bytes()))).unwrap());
            chunks.unbounded_send(Err("the guest trapped".into())).unwrap();
            with(body, &[])
        });
        let mut wire = Wire::connect(&server).await;
        wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(wire.head().await.0, 200);
        for part in parts {
            assert_eq!(wire.chunk().await.as_deref(), Some(part.as_bytes()));
        }
        wire.closes().await;

        let (mut client, _connection) = h2_client(&server).await;
        let response = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
        let mut body = response.into_body();
        let mut got = Vec::new();
        let end = loop {
            match body.frame().await {
                Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap()),
                end => break end,
            }
        };
        assert_eq!(got, parts.concat().as_bytes());
        assert!(matches!(end, Some(Err(_))), "a clean end: {end:?}");
    }
}

/// The client reads nothing until the body has failed: the error must not overtake what is still to be written.
#[tokio::test]
async fn an_error_waits_for_a_slow_client() {
    const PART: usize = 16 * 1024 * 1024;
    let server = answering(|| {
        let (chunks, body) = fed();
        chunks.unbounded_send(Ok(vec![b'x'; PART].into())).unwrap();
        chunks.unbounded_send(Err("the guest trapped".into())).unwrap();
        with(body, &[])
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(wire.head().await.0, 200);
    let mut got = 0;
    while got < PART {
        got += wire.chunk().await.unwrap().len();
    }
    wire.closes().await;
}

#[tokio::test]
async fn an_http_1_0_client_gets_a_stream_until_the_close() {
    let server = answering(|| with(stream(&["hel", "lo"]), &[]));
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let (rest, clean) = wire.rest().await;
    let text = String::from_utf8(rest).unwrap();
    assert!(text.ends_with("\r\n\r\nhello") && clean, "{text:?}");
}
