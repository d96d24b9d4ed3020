//! What reaches the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasterapi_edge::{Bound, Edge, EdgeConfig, Peer, Protocols};
use http::{HeaderValue, Method};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::*;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get("/a?b=c").await.text(), "GET /a?b=c host=test\n");
    wire.send("POST /b HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(wire.answer().await.text(), "POST /b host=test\nhello");
    wire.send(
        "PUT /c HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(wire.answer().await.text(), "PUT /c host=test\nabcde");
    assert_eq!(wire.get("/d").await.status, 200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    let mut all = Vec::new();
    for index in 0..50 {
        all.extend(format!("POST /{index} HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi").into_bytes());
    }
    wire.send(&all).await;
    for index in 0..50 {
        assert_eq!(wire.answer().await.text(), format!("POST /{index} host=t\nhi"));
    }
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.tcp.set_nodelay(true).unwrap();
    let one =
        b"\r\nPOST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\na: b\r\n\r\n";
    for byte in [one.as_slice(), one].concat() {
        wire.send([byte]).await;
    }
    for _ in 0..2 {
        assert_eq!(wire.answer().await.text(), "POST /x host=t\nhi");
    }
}

/// As clients send it by hand; other servers take it, hyper would not.
#[tokio::test]
async fn quotes_in_a_target_are_encoded() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get("/a?b={\"c\":1}").await.text(), "GET /a?b={%22c%22:1} host=test\n");
    let post = "POST /<`> HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n\"<";
    wire.send([post, post, post].concat()).await;
    for _ in 0..3 {
        assert_eq!(wire.answer().await.text(), "POST /%3C%60%3E host=t\n\"<");
    }
    for byte in post.bytes() {
        wire.send([byte]).await;
    }
    assert_eq!(wire.answer().await.text(), "POST /%3C%60%3E host=t\n\"<");
}

/// Each becomes three bytes: the limits are those of what the app gets.
#[tokio::test]
async fn what_is_encoded_has_the_same_limits() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    assert_eq!(wire.get(&format!("/{}", "<".repeat(2000))).await.status, 200);
    assert_eq!(wire.get(&format!("/{}", "<".repeat(4000))).await.status, 414);
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let config = EdgeConfig::default();
    let server = serve(config, |request| async {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        respond(format!("{} {}", body.len(), body.iter().map(|byte| u64::from(*byte)).sum::<u64>()))
    });
    let upload: Vec<u8> = (0..10_000_000u32).map(|index| index as u8).collect();
    let expected = format!("10000000 {}", upload.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    let mut wire = Wire::connect(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10000000\r\n\r\n").await;
    wire.send(&upload).await;
    assert_eq!(wire.answer().await.text(), expected);
    wire.send("POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for chunk in upload.chunks(70_001) {
        wire.send(format!("{:x}\r\n", chunk.len())).await;
        wire.send(chunk).await;
        wire.send("\r\n").await;
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), expected);
    assert_eq!(wire.get("/").await.text(), "0 0");
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_not_to() {
    let server = serve(EdgeConfig::default(), echo);
    let answer = only_answer(&server, "GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.text(), "GET /old host=none\n");
    let mut wire = Wire::connect(&server).await;
    for _ in 0..2 {
        wire.send("GET /old HTTP/1.0\r\nhost: t\r\nconnection: keep-alive\r\n\r\n").await;
        assert_eq!(wire.answer().await.text(), "GET /old host=t\n");
    }
}

#[tokio::test]
async fn connection_close_is_honoured() {
    let server = serve(EdgeConfig::default(), echo);
    let answer = only_answer(&server, "GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn an_absolute_target_stands_over_the_host_header() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send("GET http://real:81/a HTTP/1.1\r\nhost: other\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "GET http://real:81/a host=real:81\n");
    wire.send("OPTIONS * HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "OPTIONS * host=t\n");
}

#[tokio::test]
async fn a_request_knows_its_peer() {
    let server = serve(EdgeConfig::default(), |request| async move {
        let peer = request.extensions().get::<Peer>().unwrap();
        respond(format!("{} {} {}", peer.remote, peer.local, peer.scheme.as_str()))
    });
    let mut wire = Wire::connect(&server).await;
    let expected = format!("{} {} http", wire.tcp.local_addr().unwrap(), server.addr);
    assert_eq!(wire.get("/").await.text(), expected);
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_asks() {
    for (trusted, expected) in [("127.0.0.1", "203.0.113.7:0 https"), ("127.0.0.2", "127.0.0.1 http")] {
        let config = EdgeConfig { trusted_proxies: trusted.parse().unwrap(), ..EdgeConfig::default() };
        let server = serve(config, |request| async move {
            let peer = request.extensions().get::<Peer>().unwrap();
            let own = peer.remote.ip().is_loopback();
            let remote = if own { peer.remote.ip().to_string() } else { peer.remote.to_string() };
            respond(format!("{remote} {}", peer.scheme.as_str()))
        });
        let mut wire = Wire::connect(&server).await;
        let fields = "x-forwarded-for: 6.6.6.6, 203.0.113.7\r\nx-forwarded-proto: https\r\n";
        wire.send(format!("GET / HTTP/1.1\r\nhost: t\r\n{fields}\r\n")).await;
        assert_eq!(wire.answer().await.text(), expected, "{trusted}");
        // Each request of a connection speaks for itself.
        assert_eq!(wire.get("/").await.text(), "127.0.0.1 http");
    }
}

#[tokio::test]
async fn a_client_that_expects_100_gets_it_when_the_body_is_wanted() {
    let server = serve(EdgeConfig::default(), |request| async move {
        if request.uri() == "/no" { respond("refused") } else { echo(request).await }
    });
    let expecting = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    };
    let mut wire = Wire::connect(&server).await;
    wire.send(expecting("/yes")).await;
    assert_eq!(wire.head().await.0, 100);
    wire.send("hi").await;
    assert_eq!(wire.answer().await.text(), "POST /yes host=t\nhi");
    wire.send(expecting("/no")).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "refused"));
    // Whether the body comes after all cannot be known.
    wire.closes().await;
}

#[tokio::test]
async fn our_replacement_for_refused_heads_cannot_be_forged() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send("EDGE-REFUSED / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "EDGE-REFUSED / host=t\n");
    assert_eq!(wire.get("/").await.status, 200);
}

#[tokio::test]
async fn methods_are_the_gateways_affair_but_connect_is_not() {
    let server = serve(EdgeConfig::default(), |request| async move {
        assert_ne!(request.method(), Method::CONNECT);
        echo(request).await
    });
    let mut wire = Wire::connect(&server).await;
    wire.send("BREW / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "BREW / host=t\n");
    only_answer(&server, "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n").await.is_problem(501);
}

#[tokio::test]
async fn an_upgrade_is_ignored() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.get("/again").await.status, 200);
}

#[tokio::test]
async fn http_2_can_be_refused() {
    let config = EdgeConfig { protocols: Protocols { h2: false }, ..EdgeConfig::default() };
    let server = serve(config, echo);
    only_answer(&server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.is_problem(505);
    assert_eq!(Wire::connect(&server).await.get("/").await.status, 200);
}

#[tokio::test]
async fn what_only_begins_like_http_2_is_http_1() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.tcp.set_nodelay(true).unwrap();
    for piece in ["P", "R", "OPFIND / HTTP/1.1\r\nhost: t\r\n\r\n"] {
        wire.send(piece).await;
        wire.tcp.flush().await.unwrap();
    }
    assert_eq!(wire.answer().await.text(), "PROPFIND / host=t\n");
}

#[tokio::test]
async fn a_taken_port_is_one_clear_error() {
    let server = serve(EdgeConfig::default(), echo);
    let error = Edge::bind(server.addr, EdgeConfig::default(), Arc::new(Nobody)).unwrap_err();
    assert_eq!(error.addr, server.addr);
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), format!("cannot listen on {}", server.addr));
}

#[tokio::test]
async fn a_port_opens_when_there_is_somebody_behind_it() {
    let bound = Bound::new("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = bound.local_addr();
    let refused = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let edge = Edge::new(bound, EdgeConfig::default(), Arc::new(Nobody)).unwrap();
    assert!(TcpStream::connect(addr).await.is_ok());
    drop(edge);
}

#[tokio::test]
async fn who_listens_first_has_the_port() {
    let slow = Bound::new("127.0.0.1:0".parse().unwrap()).unwrap();
    let also = Bound::new(slow.local_addr()).unwrap();
    let edge = Edge::new(also, EdgeConfig::default(), Arc::new(Nobody)).unwrap();
    let error = Edge::new(slow, EdgeConfig::default(), Arc::new(Nobody)).unwrap_err();
    assert_eq!((error.addr, error.source.kind()), (edge.local_addr(), std::io::ErrorKind::AddrInUse));
}

#[derive(Debug)]
struct Nobody;

impl fasterapi_edge::Gateway for Nobody {
    async fn handle(
        &self,
        request: http::Request<fasterapi_edge::RequestBody>,
    ) -> http::Response<fasterapi_edge::ResponseBody> {
        echo(request).await
    }
}

#[tokio::test]
async fn responses_have_a_date_and_the_configured_server() {
    for (configured, own, expected) in [
        (Some("fasterapi-host"), None, Some("fasterapi-host")),
        (Some("other"), Some("guest"), Some("guest")),
        (None, None, None),
    ] {
        let config = EdgeConfig { server: configured.map(HeaderValue::from_static), ..EdgeConfig::default() };
        let server = serve(config, move |_| async move {
            let mut response = respond("");
            if let Some(own) = own {
                response.headers_mut().insert("server", HeaderValue::from_static(own));
            }
            response
        });
        let answer = Wire::connect(&server).await.get("/").await;
        assert_eq!(answer.header("server"), expected);
        assert!(answer.header("date").unwrap().ends_with(" GMT"));
    }
}

#[tokio::test]
async fn a_body_the_gateway_does_not_read_is_not_taken() {
    let server = serve(EdgeConfig::default(), |_| async { respond("early") });
    let mut wire = Wire::connect(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10000000\r\n\r\nfirst").await;
    assert_eq!(wire.answer().await.text(), "early");
    let refused = AtomicBool::new(false);
    // The server reads on for a while, so that the answer is not lost, and then resets.
    let upload = async {
        while wire.tcp.write_all(&[0; 4096]).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        refused.store(true, Ordering::Relaxed);
    };
    let _ = tokio::time::timeout(PATIENCE, upload).await;
    assert!(refused.into_inner(), "the upload was taken");
}
