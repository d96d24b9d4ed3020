//! HTTP/2 with prior knowledge.

use bytes::Bytes;
use fasterapi_edge::{EdgeConfig, Limits};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::disconnect::{Living, stuck};
use crate::support::*;

async fn collect(response: Response<hyper::body::Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A response as a whole. A reset may overtake its head.
async fn whole(response: hyper::Result<Response<hyper::body::Incoming>>) -> hyper::Result<Bytes> {
    Ok(response?.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn requests_share_a_connection() {
    let server = serve(EdgeConfig::default(), echo);
    let (client, _connection) = h2_client(&server).await;
    let requests = (0..50).map(|index| {
        let request = h2_request(&server, "POST", &format!("/{index}"), format!("body {index}"));
        let (mut client, addr) = (client.clone(), server.addr);
        async move {
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert!(response.headers().contains_key("date"));
            let expected = format!("POST http://{addr}/{index} host={addr}\nbody {index}");
            assert_eq!(collect(response).await, expected);
        }
    });
    futures::future::join_all(requests).await;
}

#[tokio::test]
async fn head_and_statuses_without_content_have_no_body() {
    let server = serve(EdgeConfig::default(), |request| async move {
        let mut response = respond("hello");
        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
        if request.uri().path() == "/204" {
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert("content-length", HeaderValue::from_static("5"));
        }
        response
    });
    let (mut client, _connection) = h2_client(&server).await;
    let head = client.send_request(h2_request(&server, "HEAD", "/", "")).await.unwrap();
    assert_eq!(head.headers()["content-length"], "5");
    assert_eq!(collect(head).await, "");
    let empty = client.send_request(h2_request(&server, "GET", "/204", "")).await.unwrap();
    assert!(!empty.headers().contains_key("content-length"));
    assert_eq!(collect(empty).await, "");
    let whole = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
    assert_eq!(collect(whole).await, "hello");
}

#[tokio::test]
async fn an_error_in_the_body_resets_the_stream() {
    let server = serve(EdgeConfig::default(), |_| async {
        let (chunks, body) = fed();
        chunks.unbounded_send(Ok(Bytes::from_static(b"first"))).unwrap();
        chunks.unbounded_send(Err("the guest trapped".into())).unwrap();
        Response::new(body)
    });
    let (mut client, _connection) = h2_client(&server).await;
    for _ in 0..2 {
        assert!(whole(client.send_request(h2_request(&server, "GET", "/", "")).await).await.is_err());
    }
}

#[tokio::test]
async fn a_body_shorter_than_declared_resets_the_stream() {
    let server = serve(EdgeConfig::default(), |_| async {
        let (chunks, body) = fed();
        chunks.unbounded_send(Ok(Bytes::from_static(b"first"))).unwrap();
        let mut response = Response::new(body);
        response.headers_mut().insert("content-length", HeaderValue::from_static("10"));
        response
    });
    let (mut client, _connection) = h2_client(&server).await;
    assert!(whole(client.send_request(h2_request(&server, "GET", "/", "")).await).await.is_err());
}

#[tokio::test]
async fn limits_hold_here_too() {
    let limits = Limits {
        uri_bytes: 100,
        header_count: 10,
        header_bytes: 4096,
        body_bytes: 1000,
        ..Limits::default()
    };
    let server = serve(limited(limits), echo);
    let (mut client, _connection) = h2_client(&server).await;
    let mut status = async |request| client.send_request(request).await.unwrap().status().as_u16();
    assert_eq!(status(h2_request(&server, "POST", "/", vec![0; 1000])).await, 200);
    assert_eq!(status(h2_request(&server, "POST", "/", vec![0; 1001])).await, 413);
    assert_eq!(status(h2_request(&server, "GET", &format!("/{}", "x".repeat(100)), "")).await, 414);
    assert_eq!(status(h2_request(&server, "GET", "/?q=\u{65e5}", "")).await, 400);
    let mut many = h2_request(&server, "GET", "/", "");
    (0..11).for_each(|_| {
        many.headers_mut().append("x", HeaderValue::from_static("y"));
    });
    assert_eq!(status(many).await, 431);
    let mut large = h2_request(&server, "GET", "/", "");
    large.headers_mut().insert("x", HeaderValue::from_str(&"y".repeat(5000)).unwrap());
    assert_eq!(status(large).await, 431);
    assert_eq!(status(h2_request(&server, "GET", "/", "")).await, 200);
}

#[tokio::test]
async fn a_stream_too_long_without_content_length_is_413() {
    let server = serve(limited(Limits { body_bytes: 1000, ..Limits::default() }), echo);
    let tcp = TcpStream::connect(server.addr).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(tcp);
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let (chunks, body) = fed();
    (0..3).for_each(|_| chunks.unbounded_send(Ok(Bytes::from(vec![0; 500]))).unwrap());
    let request = Request::post(format!("http://{}/", server.addr)).body(body).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 413);
}

#[tokio::test]
async fn the_authority_and_host_must_agree() {
    let server = serve(EdgeConfig::default(), echo);
    let (mut client, _connection) = h2_client(&server).await;
    for (host, expected) in [(server.addr.to_string(), 200), ("other".to_owned(), 400)] {
        let mut request = h2_request(&server, "GET", "/", "");
        request.headers_mut().insert("host", HeaderValue::from_str(&host).unwrap());
        assert_eq!(client.send_request(request).await.unwrap().status(), expected);
    }
    let connect: Request<Full<Bytes>> = Request::connect("a:443").body(Full::default()).unwrap();
    assert_eq!(client.send_request(connect).await.unwrap().status(), 501);
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let server = serve(
        limited(Limits { keep_alive: SHORT, write_idle: SHORT, ..Limits::default() }),
        |request| async {
            tokio::time::sleep(SHORT * 3).await;
            echo(request).await
        },
    );
    let (mut client, connection) = h2_client(&server).await;
    let response = client.send_request(h2_request(&server, "GET", "/", "")).await.unwrap();
    collect(response).await;
    timeout(PATIENCE, connection).await.expect("GOAWAY").unwrap().unwrap();
    // One that does not react is cut.
    let mut mute = TcpStream::connect(server.addr).await.unwrap();
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, mute.read_to_end(&mut bytes)).await.expect("a close");
}

/// Whether the server sends a GOAWAY with this error code.
async fn goes_away(tcp: &mut TcpStream, code: u32) -> bool {
    let mut bytes = Vec::new();
    timeout(PATIENCE, tcp.read_to_end(&mut bytes)).await.expect("the server closes").ok();
    let mut rest = bytes.as_slice();
    while rest.len() >= 9 {
        let length = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        if rest[3] == 7 && rest[13..17] == code.to_be_bytes() {
            return true;
        }
        rest = &rest[(9 + length).min(rest.len())..];
    }
    false
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let living = Living::default();
    let server = stuck(&living);
    let mut tcp = TcpStream::connect(server.addr).await.unwrap();
    let mut flood = PREFACE.to_vec();
    for index in 0..500 {
        flood.extend(get_frame(2 * index + 1));
        flood.extend(reset_frame(2 * index + 1));
    }
    tcp.write_all(&flood).await.unwrap();
    assert!(goes_away(&mut tcp, ENHANCE_YOUR_CALM).await);
    living.are(0).await;
}

#[tokio::test]
async fn resets_that_a_client_provokes_end_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let living = Living::default();
    let server = stuck(&living);
    let mut tcp = TcpStream::connect(server.addr).await.unwrap();
    let mut flood = PREFACE.to_vec();
    for index in 0..500 {
        // More data than its content-length is a stream error: we reset.
        let announced = [GET_FIELDS, &[0x0f, 0x0d, 1, b'1']].concat();
        flood.extend(frame(1, 0b100, 2 * index + 1, &announced));
        flood.extend(frame(0, 1, 2 * index + 1, b"xx"));
    }
    tcp.write_all(&flood).await.unwrap();
    assert!(goes_away(&mut tcp, ENHANCE_YOUR_CALM).await);
    living.are(0).await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let living = Living::default();
    let limits = Limits { h2_max_streams: 3, ..Limits::default() };
    let held = living.clone();
    let server = serve(limited(limits), move |_| {
        let life = held.begin();
        async move {
            let _life = life;
            std::future::pending().await
        }
    });
    let mut tcp = TcpStream::connect(server.addr).await.unwrap();
    let mut all = [PREFACE, &frame(4, 1, 0, &[])].concat();
    (0..4).for_each(|index| all.extend(get_frame(2 * index + 1)));
    tcp.write_all(&all).await.unwrap();
    // RST_STREAM of stream 7 with REFUSED_STREAM.
    let refused = frame(3, 0, 7, &7u32.to_be_bytes());
    let mut bytes = Vec::new();
    let seen = async {
        while !bytes.windows(refused.len()).any(|window| window == refused) {
            assert!(tcp.read_buf(&mut bytes).await.unwrap() > 0, "closed: {bytes:?}");
        }
    };
    timeout(PATIENCE, seen).await.expect("the fourth stream is refused");
    living.are(3).await;
}
