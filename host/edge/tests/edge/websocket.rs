//! WebSockets, in front of a gateway that the test holds by its other end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fasterapi_edge::websocket::{Close, Handshake, Kind, Received, Sent, WebSocket, pair};
use fasterapi_edge::{Edge, EdgeConfig, Gateway, Limits, RequestBody, ResponseBody, Shutdown};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::*;

/// Accepts every WebSocket for `/ws`, and hands the test its end.
struct Accepting(mpsc::UnboundedSender<WebSocket>);

impl Gateway for Accepting {
    async fn handle(&self, _: Request<RequestBody>) -> Response<ResponseBody> {
        respond("plain")
    }

    async fn upgrade(&self, request: Request<RequestBody>) -> Handshake {
        if request.uri().path() != "/ws" {
            let mut refusal = respond("no");
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            return Handshake::Refused(refusal);
        }
        let (wire, socket) = pair();
        self.0.send(socket).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-protocol", "chat".parse().unwrap());
        headers.insert("x-app", "1".parse().unwrap());
        headers.insert("content-length", "7".parse().unwrap());
        headers.insert("sec-websocket-accept", "forged".parse().unwrap());
        Handshake::Accepted { headers, wire }
    }
}

struct Side {
    server: Server,
    sockets: mpsc::UnboundedReceiver<WebSocket>,
}

fn accepting(limits: Limits) -> Side {
    let (sender, sockets) = mpsc::unbounded_channel();
    let edge =
        Edge::bind("127.0.0.1:0".parse().unwrap(), limited(limits), Arc::new(Accepting(sender))).unwrap();
    let (addr, shutdown) = (edge.local_addr(), Shutdown::new());
    let task = tokio::spawn(edge.serve(shutdown.clone()));
    Side { server: Server { addr, shutdown, task }, sockets }
}

type Client = WebSocketStream<TcpStream>;

impl Side {
    async fn open(&mut self) -> (Client, WebSocket) {
        let tcp = TcpStream::connect(self.server.addr).await.unwrap();
        let mut request = format!("ws://{}/ws", self.server.addr).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "other, chat".parse().unwrap());
        let (client, answer) = client_async(request, tcp).await.unwrap();
        assert_eq!(answer.headers()["x-app"], "1");
        assert!(!answer.headers().contains_key("content-length"));
        (client, self.sockets.recv().await.unwrap())
    }

    /// A WebSocket whose client's bytes the test writes.
    async fn open_raw(&mut self) -> (Wire, WebSocket) {
        let mut wire = Wire::connect(&self.server).await;
        wire.send(opening("")).await;
        let (status, head) = wire.head().await;
        assert_eq!(status, 101);
        assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        (wire, self.sockets.recv().await.unwrap())
    }
}

fn opening(change: &str) -> String {
    let fields = "host: t\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
    format!("GET /ws HTTP/1.1\r\n{fields}sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{change}\r\n")
}

async fn received(socket: &mut WebSocket) -> Option<Received> {
    timeout(PATIENCE, socket.incoming.recv()).await.expect("the client is heard")
}

async fn heard(client: &mut Client) -> Option<Result<Message, Error>> {
    timeout(PATIENCE, client.next()).await.expect("the server is heard")
}

fn whole(kind: Kind, data: &'static [u8]) -> Sent {
    Sent::Part { kind, first: true, last: true, data: Bytes::from_static(data) }
}

fn closed(code: u16) -> Option<Received> {
    Some(Received::Close(Close::of(code)))
}

/// A masked frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[tokio::test]
async fn messages_go_both_ways() {
    let mut side = accepting(Limits::default());
    let (mut client, mut socket) = side.open().await;
    for (message, kind, data) in [
        (Message::text("hé"), Kind::Text, "hé".as_bytes()),
        (Message::text(""), Kind::Text, b""),
        (Message::binary(&b"\0\xff"[..]), Kind::Binary, b"\0\xff"),
        (Message::binary(&b""[..]), Kind::Binary, b""),
    ] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(received(&mut socket).await, Some(Received::Message(kind, Bytes::copy_from_slice(data))));
        let echo = Sent::Part { kind, first: true, last: true, data: Bytes::copy_from_slice(data) };
        socket.outgoing.send(echo).await.unwrap();
        assert_eq!(heard(&mut client).await.unwrap().unwrap(), message);
    }
    let large = Bytes::from(vec![7; 3 << 20]);
    client.send(Message::Binary(large.clone())).await.unwrap();
    assert_eq!(received(&mut socket).await, Some(Received::Message(Kind::Binary, large)));
}

#[tokio::test]
async fn messages_may_come_and_go_in_parts_and_pings_are_answered() {
    let mut side = accepting(Limits::default());
    let (mut wire, mut socket) = side.open_raw().await;
    // A ping in the middle of a message of three parts (RFC 6455, section 5.4).
    let frames = [masked(0x01, b"a"), masked(0x89, b"?"), masked(0x00, b"b"), masked(0x80, b"c")].concat();
    for byte in frames {
        wire.send([byte]).await;
    }
    assert_eq!(received(&mut socket).await, Some(Received::Message(Kind::Text, Bytes::from_static(b"abc"))));
    let part = |first, last| Sent::Part { kind: Kind::Text, first, last, data: Bytes::from_static(b"x") };
    for (first, last) in [(true, false), (false, false), (false, true)] {
        socket.outgoing.send(part(first, last)).await.unwrap();
    }
    let mut sent = [0; 12];
    timeout(PATIENCE, wire.tcp.read_exact(&mut sent)).await.unwrap().unwrap();
    assert_eq!(&sent, b"\x8a\x01?\x01\x01x\x00\x01x\x80\x01x");
}

#[tokio::test]
async fn closes_are_told_both_ways() {
    let mut side = accepting(Limits::default());
    let (mut client, mut socket) = side.open().await;
    let frame = CloseFrame { code: 4001.into(), reason: "enough".into() };
    client.send(Message::Close(Some(frame.clone()))).await.unwrap();
    let close = Close { code: 4001, reason: "enough".to_owned() };
    assert_eq!(received(&mut socket).await, Some(Received::Close(close.clone())));
    assert_eq!(heard(&mut client).await.unwrap().unwrap(), Message::Close(Some(frame.clone())));
    assert!(heard(&mut client).await.is_none());
    timeout(PATIENCE, socket.outgoing.closed()).await.unwrap();

    let (mut client, mut socket) = side.open().await;
    client.send(Message::Close(None)).await.unwrap();
    assert_eq!(received(&mut socket).await, closed(Close::NO_STATUS));

    let (mut client, mut socket) = side.open().await;
    socket.outgoing.send(Sent::Close(close.clone())).await.unwrap();
    assert_eq!(heard(&mut client).await.unwrap().unwrap(), Message::Close(Some(frame)));
    assert!(heard(&mut client).await.is_none());
    assert_eq!(received(&mut socket).await, Some(Received::Close(close)));
    assert_eq!(received(&mut socket).await, None);
}

#[tokio::test]
async fn what_breaks_off_is_told() {
    let mut side = accepting(Limits::default());
    let (client, mut socket) = side.open().await;
    drop(client);
    assert_eq!(received(&mut socket).await, closed(Close::ABNORMAL));

    let (mut client, socket) = side.open().await;
    drop(socket);
    let Message::Close(Some(frame)) = heard(&mut client).await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 1011);
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_closed() {
    let limits = Limits { websocket_message_bytes: 10, ..Limits::default() };
    let mut side = accepting(limits);
    let too_long = [masked(0x01, &[b'a'; 6]), masked(0x80, &[b'a'; 6])].concat();
    for (frames, code) in [
        (b"\x81\x01a".to_vec(), 1002_u16),
        (masked(0xc1, b"a"), 1002),
        (masked(0x80, b"a"), 1002),
        (masked(0x83, b"a"), 1002),
        (masked(0x81, b"\xff"), 1007),
        (masked(0x81, &[b'a'; 11]), 1009),
        (too_long, 1009),
    ] {
        let (mut wire, mut socket) = side.open_raw().await;
        wire.send(&frames).await;
        assert_eq!(received(&mut socket).await, closed(code), "{frames:?}");
        let (rest, _) = wire.rest().await;
        assert_eq!(rest, [&[0x88, 2], &code.to_be_bytes()[..]].concat(), "{frames:?}");
    }
}

#[tokio::test]
async fn handshakes_that_are_none() {
    let side = accepting(Limits::default());
    let mut wire = Wire::connect(&side.server).await;
    wire.send(opening("").replace("version: 13", "version: 8")).await;
    let answer = wire.answer().await;
    answer.is_problem(426);
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    only_answer(&side.server, opening("").replace("ZQ==", "ZQ=")).await.is_problem(400);
    only_answer(&side.server, opening("content-length: 0\r\n")).await.is_problem(400);
    // No WebSocket is asked for: an answer as any other, on a connection that goes on.
    let mut wire = Wire::connect(&side.server).await;
    for change in [
        ("upgrade: websocket", "upgrade: h2c"),
        ("connection: Upgrade", "connection: keep-alive"),
        ("GET", "POST"),
    ] {
        wire.send(opening("").replacen(change.0, change.1, 1)).await;
        assert_eq!(wire.answer().await.text(), "plain", "{change:?}");
    }
    // Refused by the gateway: so does this.
    wire.send(opening("").replace("/ws", "/other")).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.text()), (403, "no"));
    assert_eq!(wire.get("/").await.text(), "plain");
}

#[tokio::test]
async fn a_gateway_without_websockets_answers_as_ever() {
    let server = serve(EdgeConfig::default(), echo);
    let mut wire = Wire::connect(&server).await;
    wire.send(opening("")).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.text().lines().next()), (200, Some("GET /ws host=t")));
}

#[tokio::test]
async fn who_is_silent_is_pinged_and_closed() {
    let mut side = accepting(Limits { websocket_ping: SHORT, ..Limits::default() });
    let (mut wire, mut socket) = side.open_raw().await;
    let mut ping = [0; 2];
    timeout(PATIENCE, wire.tcp.read_exact(&mut ping)).await.unwrap().unwrap();
    assert_eq!(ping, [0x89, 0]);
    assert_eq!(received(&mut socket).await, closed(1011));
    let (rest, _) = wire.rest().await;
    assert_eq!(&rest[..4], &[&[0x88, 24][..], &1011_u16.to_be_bytes()].concat());

    // One that answers lives on: this client answers while it is read.
    let (mut client, mut socket) = side.open().await;
    let reading = tokio::spawn(async move {
        let mut pings = 0;
        while let Some(Ok(message)) = client.next().await {
            pings += usize::from(message.is_ping());
            if pings == 4 {
                client.send(Message::text("still here")).await.unwrap();
            }
        }
    });
    assert_eq!(
        received(&mut socket).await,
        Some(Received::Message(Kind::Text, Bytes::from_static(b"still here")))
    );
    reading.abort();
}

#[tokio::test]
async fn a_gateway_that_takes_nothing_holds_the_client_up() {
    let mut side = accepting(Limits { websocket_ping: SHORT, ..Limits::default() });
    let (client, mut socket) = side.open().await;
    let (mut sending, mut hearing) = client.split();
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        loop {
            if sending.send(Message::Binary(Bytes::from(vec![0; 64 * 1024]))).await.is_err() {
                return;
            }
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let hearing = tokio::spawn(async move { while let Some(Ok(_)) = hearing.next().await {} });
    // What the kernel's buffers take, then nothing; and it is not closed for a silence that is ours.
    let mut seen = usize::MAX;
    loop {
        tokio::time::sleep(3 * SHORT).await;
        let now = sent.load(std::sync::atomic::Ordering::Relaxed);
        if now == seen {
            break;
        }
        seen = now;
    }
    assert!(seen < 1000, "{seen} messages of 64 KiB were taken in");
    for _ in 0..seen + 10 {
        let Some(Received::Message(..)) = received(&mut socket).await else { panic!("closed") };
    }
    task.abort();
    hearing.abort();
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let mut side = accepting(Limits { write_idle: SHORT, ..Limits::default() });
    let (_wire, mut socket) = side.open_raw().await;
    static PART: [u8; 64 * 1024] = [0; 64 * 1024];
    let sending = async { while socket.outgoing.send(whole(Kind::Binary, &PART)).await.is_ok() {} };
    timeout(PATIENCE, sending).await.expect("nothing is taken for a client that takes nothing");
    assert_eq!(received(&mut socket).await, closed(Close::ABNORMAL));
}

#[tokio::test]
async fn a_drain_closes_and_a_second_signal_cuts() {
    let mut side = accepting(Limits::default());
    let (mut client, mut socket) = side.open().await;
    side.server.shutdown.begin();
    assert_eq!(received(&mut socket).await, closed(1012));
    let Message::Close(Some(frame)) = heard(&mut client).await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 1012);
    assert!(heard(&mut client).await.is_none());
    let report = timeout(PATIENCE, side.server.task).await.unwrap().unwrap();
    assert_eq!(report.cut_connections, 0);

    let mut side = accepting(Limits::default());
    // It answers nothing, so the closing handshake hangs.
    let (_wire, mut socket) = side.open_raw().await;
    side.server.shutdown.begin();
    assert_eq!(received(&mut socket).await, closed(1012));
    side.server.shutdown.force();
    let report = timeout(PATIENCE, side.server.task).await.unwrap().unwrap();
    assert_eq!(report.cut_connections, 1);
}

#[tokio::test]
async fn a_websocket_counts_as_a_connection() {
    let limits = Limits { max_connections: std::num::NonZeroU32::MIN, ..Limits::default() };
    let mut side = accepting(limits);
    let (client, mut socket) = side.open().await;
    let mut second = Wire::connect(&side.server).await;
    second.send("GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let mut byte = [0; 1];
    assert!(timeout(Duration::from_millis(200), second.tcp.peek(&mut byte)).await.is_err());
    drop(client);
    assert_eq!(received(&mut socket).await, closed(Close::ABNORMAL));
    drop(socket);
    assert_eq!(second.answer().await.text(), "plain");
    second.tcp.shutdown().await.unwrap();
}
