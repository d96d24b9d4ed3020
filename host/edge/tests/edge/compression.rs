//! Compressed responses, as a client sees them.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use bytes::Bytes;
use fasterapi_edge::{Compression, EdgeConfig, ResponseBody};
use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::support::*;

fn text() -> String {
    (0..20_000).map(|index| format!("line {index} of a text that compresses well\n")).collect()
}

fn typed(body: ResponseBody, content_type: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
}

async fn decode(coding: &str, body: &[u8]) -> String {
    let mut decoder: Box<dyn AsyncRead + Unpin> = match coding {
        "zstd" => Box::new(ZstdDecoder::new(body)),
        "br" => Box::new(BrotliDecoder::new(body)),
        "gzip" => Box::new(GzipDecoder::new(body)),
        other => panic!("{other}?"),
    };
    let mut text = String::new();
    decoder.read_to_string(&mut text).await.unwrap();
    text
}

async fn get(wire: &mut Wire, accept: &str) -> Answer {
    wire.send(format!("GET / HTTP/1.1\r\nhost: t\r\naccept-encoding: {accept}\r\n\r\n")).await;
    wire.answer().await
}

#[tokio::test]
async fn every_coding_decodes_to_the_same() {
    let server = serve(EdgeConfig::default(), |_| async {
        let mut response = typed(full(text()), "text/plain");
        response.headers_mut().insert("etag", HeaderValue::from_static("\"1\""));
        response.headers_mut().insert("vary", HeaderValue::from_static("Origin"));
        response
    });
    let mut wire = Wire::connect(&server).await;
    for coding in ["zstd", "br", "gzip"] {
        let answer = get(&mut wire, coding).await;
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("etag"), Some("W/\"1\""));
        assert_eq!(answer.head.matches("vary: ").count(), 2);
        assert!(answer.body.len() < text().len() / 4, "{coding}: {}", answer.body.len());
        assert_eq!(decode(coding, &answer.body).await, text());
    }
    let plain = get(&mut wire, "identity").await;
    assert_eq!((plain.header("content-encoding"), plain.text()), (None, &*text()));
    assert_eq!(plain.header("content-length"), Some(&*text().len().to_string()));
    assert_eq!(plain.header("etag"), Some("\"1\""));
    wire.send("HEAD / HTTP/1.1\r\nhost: t\r\naccept-encoding: br\r\n\r\n").await;
    let (_, head) = wire.head().await;
    assert!(head.contains("content-encoding: br") && !head.contains("content-length"), "{head}");
}

#[tokio::test]
async fn the_gateway_has_the_last_word() {
    for (default, own, compressed) in [
        (Compression::On, None, true),
        (Compression::Off, None, false),
        (Compression::On, Some(Compression::Off), false),
        (Compression::Off, Some(Compression::On), true),
    ] {
        let server =
            serve(EdgeConfig { compression: default, ..EdgeConfig::default() }, move |_| async move {
                let mut response = typed(full(text()), "application/json");
                response.extensions_mut().extend(
                    own.map(|own| {
                        let mut extensions = http::Extensions::new();
                        extensions.insert(own);
                        extensions
                    })
                    .unwrap_or_default(),
                );
                response
            });
        let answer = get(&mut Wire::connect(&server).await, "gzip").await;
        assert_eq!(answer.header("content-encoding").is_some(), compressed);
        assert_eq!(answer.header("vary").is_some(), compressed);
    }
}

#[tokio::test]
async fn a_chunk_is_on_its_way_before_the_next_is_made() {
    for coding in ["zstd", "br", "gzip"] {
        for content_type in ["text/event-stream", "application/x-ndjson"] {
            let (chunks, body) = fed();
            let body = std::sync::Mutex::new(Some(body));
            let server = serve(EdgeConfig::default(), move |_| {
                std::future::ready(typed(body.lock().unwrap().take().unwrap(), content_type))
            });
            let mut wire = Wire::connect(&server).await;
            wire.send(format!("GET / HTTP/1.1\r\nhost: t\r\naccept-encoding: {coding}\r\n\r\n")).await;
            let (_, head) = wire.head().await;
            assert!(head.contains(&format!("content-encoding: {coding}")), "{head}");
            let (mut encoded, mut said) = (Vec::new(), String::new());
            for index in 0..3 {
                let event = format!("data: event {index}\n\n");
                chunks.unbounded_send(Ok(Bytes::from(event.clone()))).unwrap();
                said += &event;
                // The next event is not made before all of this one has arrived.
                while partly_decoded(coding, &encoded).await != said {
                    encoded.extend(wire.chunk().await.expect("the stream goes on"));
                }
            }
            drop(chunks);
            while let Some(chunk) = wire.chunk().await {
                encoded.extend(chunk);
            }
            assert_eq!(decode(coding, &encoded).await, said);
        }
    }
}

/// What a client can make of the first part of a stream.
async fn partly_decoded(coding: &str, encoded: &[u8]) -> String {
    let mut decoder: Box<dyn AsyncRead + Unpin> = match coding {
        "zstd" => Box::new(ZstdDecoder::new(encoded)),
        "br" => Box::new(BrotliDecoder::new(encoded)),
        _ => Box::new(GzipDecoder::new(encoded)),
    };
    let mut decoded = Vec::new();
    // Ends with an error: the stream is not whole.
    while matches!(decoder.read_buf(&mut decoded).await, Ok(1..)) {}
    String::from_utf8(decoded).unwrap()
}

#[tokio::test]
async fn an_error_in_a_compressed_body_is_no_clean_end() {
    let server = serve(EdgeConfig::default(), |_| async {
        let (chunks, body) = fed();
        chunks.unbounded_send(Ok(Bytes::from(text()))).unwrap();
        chunks.unbounded_send(Err("broken".into())).unwrap();
        typed(body, "text/plain")
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\naccept-encoding: zstd\r\n\r\n").await;
    let (rest, _) = wire.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn http_2_responses_are_compressed_too() {
    let server = serve(EdgeConfig::default(), |_| async { typed(full(text()), "text/css") });
    let (mut client, _connection) = h2_client(&server).await;
    let mut request = h2_request(&server, "GET", "/", "");
    request.headers_mut().insert("accept-encoding", HeaderValue::from_static("gzip, br;q=0.9"));
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(decode("gzip", &body).await, text());
}
