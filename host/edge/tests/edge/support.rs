//! Servers, clients and patience.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fasterapi_edge::{
    BoxError, DrainReport, Edge, EdgeConfig, Gateway, Limits, RequestBody, ResponseBody, Shutdown,
};
use futures::channel::mpsc;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A deadline that tests wait for.
pub const SHORT: Duration = Duration::from_millis(150);

/// A gateway made of a function.
pub struct Handler<F>(F);

impl<F, R> Gateway for Handler<F>
where
    F: Fn(Request<RequestBody>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    fn handle(&self, request: Request<RequestBody>) -> impl Future<Output = Response<ResponseBody>> + Send {
        (self.0)(request)
    }
}

pub struct Server {
    pub addr: SocketAddr,
    pub shutdown: Shutdown,
    pub task: JoinHandle<DrainReport>,
}

pub fn serve<F, R>(config: EdgeConfig, handler: F) -> Server
where
    F: Fn(Request<RequestBody>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let edge = Edge::bind("127.0.0.1:0".parse().unwrap(), config, Arc::new(Handler(handler))).unwrap();
    let (addr, shutdown) = (edge.local_addr(), Shutdown::new());
    let task = tokio::spawn(edge.serve(shutdown.clone()));
    Server { addr, shutdown, task }
}

pub fn limited(limits: Limits) -> EdgeConfig {
    EdgeConfig { limits, ..EdgeConfig::default() }
}

/// Answers with what it understood of the request, line by line, then the body.
pub async fn echo(request: Request<RequestBody>) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").map_or("none", |host| host.to_str().unwrap());
    let mut text = format!("{} {} host={host}\n", parts.method, parts.uri).into_bytes();
    match body.collect().await {
        Ok(body) => text.extend_from_slice(&body.to_bytes()),
        Err(error) => text.extend_from_slice(error.to_string().as_bytes()),
    }
    respond(text)
}

pub fn respond(body: impl Into<Bytes>) -> Response<ResponseBody> {
    Response::new(full(body))
}

pub fn full(body: impl Into<Bytes>) -> ResponseBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

pub type Chunks = mpsc::UnboundedSender<Result<Bytes, BoxError>>;

/// A body that a test feeds.
pub fn fed() -> (Chunks, ResponseBody) {
    let (sender, receiver) = mpsc::unbounded();
    let frames = futures::StreamExt::map(receiver, |chunk: Result<Bytes, BoxError>| chunk.map(Frame::data));
    (sender, StreamBody::new(frames).boxed_unsync())
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

/// One HTTP/1 connection, spoken byte for byte.
pub struct Wire {
    pub tcp: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn is_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("connection"), Some("close"), "{self:?}");
        assert!(self.text().contains(&format!("\"status\":{status}")), "{self:?}");
        assert!(self.body.len() < 300);
    }
}

impl Wire {
    pub async fn connect(server: &Server) -> Self {
        Self { tcp: TcpStream::connect(server.addr).await.unwrap(), buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.unwrap();
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        self.answer().await
    }

    /// One response, whole.
    pub async fn answer(&mut self) -> Answer {
        let (status, head) = self.head().await;
        let mut answer = Answer { status, head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            while self.buffer.len() < length {
                assert!(self.read().await > 0, "body cut short: {answer:?}");
            }
            answer.body = self.buffer.drain(..length).collect();
        } else if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        }
        answer
    }

    /// A response's head, which is all there is to the response to HEAD.
    pub async fn head(&mut self) -> (u16, String) {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let read = self.read().await;
            assert!(read > 0, "no whole head in {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        (head[9..12].parse().unwrap(), head)
    }

    /// One chunk of a chunked body; none for the last.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            assert!(self.read().await > 0, "chunked body cut short");
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..end]).unwrap(), 16).unwrap();
        while self.buffer.len() < end + 2 + size + 2 {
            assert!(self.read().await > 0, "chunk cut short");
        }
        let chunk = self.buffer[end + 2..end + 2 + size].to_vec();
        self.buffer.drain(..end + 2 + size + 2);
        (size > 0).then_some(chunk)
    }

    /// Everything until the server closes; whether it closed without a reset.
    pub async fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut clean = true;
        let reading = async {
            loop {
                match self.tcp.read_buf(&mut self.buffer).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(_) => {
                        clean = false;
                        break;
                    }
                }
            }
        };
        assert!(timeout(PATIENCE, reading).await.is_ok(), "the server does not close");
        (std::mem::take(&mut self.buffer), clean)
    }

    pub async fn closes(&mut self) {
        let (rest, _) = self.rest().await;
        assert!(rest.is_empty(), "unexpected: {:?}", String::from_utf8_lossy(&rest));
    }

    async fn read(&mut self) -> usize {
        let read = timeout(PATIENCE, self.tcp.read_buf(&mut self.buffer)).await;
        read.expect("the server sends nothing").expect("the connection works")
    }
}

/// Sends bytes on a connection of their own and reads the one answer, after which the server must close.
pub async fn only_answer(server: &Server, bytes: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::connect(server).await;
    wire.send(bytes).await;
    let answer = wire.answer().await;
    wire.closes().await;
    answer
}

pub type H2Client = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// An HTTP/2 connection with small windows, so that a stream nobody reads stalls soon.
pub async fn h2_client(server: &Server) -> (H2Client, JoinHandle<hyper::Result<()>>) {
    let tcp = TcpStream::connect(server.addr).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(65_535).initial_connection_window_size(1 << 20);
    builder.max_header_list_size(1 << 20);
    let (client, connection) = builder.handshake(TokioIo::new(tcp)).await.unwrap();
    (client, tokio::spawn(connection))
}

pub fn h2_request(server: &Server, method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let uri = format!("http://{}{path}", server.addr);
    Request::builder().method(method).uri(uri).body(Full::new(body.into())).unwrap()
}

/// The start of a hand-written HTTP/2 connection.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// One HTTP/2 frame (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET / http a` in HPACK, without Huffman coding.
pub const GET_FIELDS: &[u8] = &[0x82, 0x84, 0x86, 0x41, 1, b'a'];

/// A whole GET request.
pub fn get_frame(stream: u32) -> Vec<u8> {
    frame(1, 0b101, stream, GET_FIELDS)
}

/// RST_STREAM with CANCEL.
pub fn reset_frame(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, &8u32.to_be_bytes())
}
