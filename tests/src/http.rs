//! A small HTTP client: HTTP/1.1 and HTTP/2 with prior knowledge, bodies in parts both ways, and bare bytes for what no
//! client library would send.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{
    BodyExt, Empty, Full,
    channel::{Channel, Sender},
    combinators::UnsyncBoxBody,
};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::wait::in_time;

/// The name by which all requests call their server: answers that repeat it are the same wherever it listens.
pub const HOST: &str = "testserver";

/// Which HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/2 over cleartext, with prior knowledge.
    H2,
}

/// A request to make.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Path and query, as they go over the wire.
    pub target: String,
    /// Its headers, beside `Host`.
    pub headers: HeaderMap,
    /// The parts of its body. None: no body. One: a body of known length. More: one of unknown length.
    pub parts: Vec<Bytes>,
}

/// A request with `method`.
#[must_use]
pub fn ask(method: &str, target: &str) -> Ask {
    let method = method.parse().unwrap();
    Ask { method, target: target.into(), headers: HeaderMap::new(), parts: Vec::new() }
}

/// A GET.
#[must_use]
pub fn get(target: &str) -> Ask {
    ask("GET", target)
}

/// A POST.
#[must_use]
pub fn post(target: &str) -> Ask {
    ask("POST", target)
}

impl Ask {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    /// Gives it a body of known length.
    #[must_use]
    pub fn body(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.parts = vec![body.into()];
        if kind.is_empty() { self } else { self.header("content-type", kind) }
    }

    /// Gives it a body of JSON, as it is written.
    #[must_use]
    pub fn json(self, body: impl Into<String>) -> Self {
        self.body("application/json", body.into())
    }

    /// Gives it a body of unknown length.
    #[must_use]
    pub fn parts(mut self, parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.parts = parts.into_iter().map(Bytes::from).collect();
        self.parts.push(Bytes::new());
        self
    }

    fn request(&self, protocol: Protocol, body: RequestBody) -> Request<RequestBody> {
        let mut headers = self.headers.clone();
        let host = headers.remove("host").unwrap_or(HeaderValue::from_static(HOST));
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = match protocol {
            Protocol::H1 => self.target.parse::<Uri>().unwrap(),
            Protocol::H2 => format!("http://{}{}", host.to_str().unwrap(), self.target).parse().unwrap(),
        };
        if protocol == Protocol::H1 {
            headers.insert("host", host);
        }
        *request.headers_mut() = headers;
        request
    }

    fn whole_body(&self) -> RequestBody {
        match self.parts.as_slice() {
            [] => Empty::new().boxed_unsync(),
            [whole] => Full::new(whole.clone()).boxed_unsync(),
            parts => {
                let (mut sender, body) = Channel::new(1);
                let parts = parts.to_vec();
                tokio::spawn(async move {
                    for part in parts {
                        if sender.send_data(part).await.is_err() {
                            return;
                        }
                    }
                });
                body.boxed_unsync()
            }
        }
    }
}

type RequestBody = UnsyncBoxBody<Bytes, Infallible>;

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status. 0: there was no answer.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// What came of its body.
    pub body: Bytes,
    /// Whether the body came to a good end.
    pub whole: bool,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    /// A header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Fails when the status is another one, or the body is not whole.
    #[allow(clippy::must_use_candidate, reason = "often the whole test")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.whole, "the body broke off");
        self
    }
}

/// Where to send requests.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    addr: SocketAddr,
}

impl Client {
    /// A client of the server at `addr`.
    #[must_use]
    pub const fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    /// Sends a request over HTTP/1.1 on a connection of its own, and reads the answer.
    pub async fn send(&self, ask: Ask) -> Answer {
        self.send_by(Protocol::H1, ask).await
    }

    /// Sends a request on a connection of its own, and reads the answer.
    pub async fn send_by(&self, protocol: Protocol, ask: Ask) -> Answer {
        self.connect(protocol).await.send(ask).await
    }

    /// Sends a request on a connection of its own; comes back with the answer's head. The request's body is what `ask`
    /// has and, when it has none and `writes`, what the exchange is told to write.
    pub async fn open(&self, protocol: Protocol, ask: Ask, writes: bool) -> Exchange {
        self.begin(protocol, ask, writes).await.head().await
    }

    /// Like [`Client::open`], without waiting for the head.
    pub async fn begin(&self, protocol: Protocol, ask: Ask, writes: bool) -> Begun {
        let mut connection = self.connect(protocol).await;
        let (writer, body) = if writes {
            let (writer, body) = Channel::new(1);
            (Some(writer), body.boxed_unsync())
        } else {
            (None, ask.whole_body())
        };
        let request = ask.request(protocol, body);
        let head = tokio::spawn(async move {
            let head = connection.request(request).await;
            (head, connection)
        });
        Begun { head, writer }
    }

    /// Makes a connection.
    pub async fn connect(&self, protocol: Protocol) -> Connection {
        in_time("a connection", self.try_connect(protocol)).await.unwrap()
    }

    /// Makes a connection.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn try_connect(&self, protocol: Protocol) -> std::io::Result<Connection> {
        let tcp = TcpStream::connect(self.addr).await?;
        tcp.set_nodelay(true)?;
        let io = TokioIo::new(tcp);
        Ok(match protocol {
            Protocol::H1 => {
                let (sender, driver) = conn::http1::handshake(io).await.unwrap();
                let driver = tokio::spawn(async { drop(driver.await) });
                Connection { sender: Sending::H1(sender), driver }
            }
            Protocol::H2 => {
                let (sender, driver) = conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                let driver = tokio::spawn(async { drop(driver.await) });
                Connection { sender: Sending::H2(sender), driver }
            }
        })
    }

    /// Sends bytes as they are and reads all that comes back until the server closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut tcp = self.raw_connection().await;
        tcp.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A server may reset a connection whose bytes it does not want to read: what it said before counts.
        let _ = in_time("the end of a raw answer", tcp.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A bare connection.
    pub async fn raw_connection(&self) -> TcpStream {
        in_time("a connection", TcpStream::connect(self.addr)).await.unwrap()
    }
}

enum Sending {
    H1(conn::http1::SendRequest<RequestBody>),
    H2(conn::http2::SendRequest<RequestBody>),
}

/// An open connection. It closes with the value, whatever is under way on it.
pub struct Connection {
    sender: Sending,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Sends a request and reads the answer. A connection that ends without one gives a status of 0.
    pub async fn send(&mut self, ask: Ask) -> Answer {
        self.try_send(ask).await.unwrap_or_else(|_| Answer {
            status: 0,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            whole: false,
        })
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_send(&mut self, ask: Ask) -> hyper::Result<Answer> {
        let protocol = if matches!(self.sender, Sending::H1(_)) { Protocol::H1 } else { Protocol::H2 };
        let what = format!("{} {}", ask.method, ask.target);
        let request = ask.request(protocol, ask.whole_body());
        let response = in_time(&what, self.request(request)).await?;
        Ok(in_time(&what, read(response)).await)
    }

    async fn request(&mut self, request: Request<RequestBody>) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sending::H1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sending::H2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, mut body) = response.into_parts();
    let (mut bytes, mut whole) = (Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    Answer { status: head.status.as_u16(), headers: head.headers, body: bytes.into(), whole }
}

/// A request on its way.
pub struct Begun {
    head: JoinHandle<(hyper::Result<Response<Incoming>>, Connection)>,
    writer: Option<Sender<Bytes, Infallible>>,
}

impl Begun {
    /// Writes a part of the request's body.
    pub async fn write(&mut self, part: impl Into<Bytes>) {
        in_time("writing", self.writer.as_mut().unwrap().send_data(part.into())).await.unwrap();
    }

    /// Writes a part, unless the server takes no more.
    pub async fn try_write(&mut self, part: impl Into<Bytes>) -> bool {
        in_time("writing", self.writer.as_mut().unwrap().send_data(part.into())).await.is_ok()
    }

    /// Ends the request's body.
    pub fn end(&mut self) {
        self.writer = None;
    }

    /// Whether the answer's head is there.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.head.is_finished()
    }

    /// Waits for the head.
    pub async fn head(self) -> Exchange {
        let (head, connection) = in_time("a response's head", self.head).await.unwrap();
        Exchange { response: head.unwrap(), writer: self.writer, _connection: connection }
    }

    /// Waits for the whole answer.
    pub async fn answer(self) -> Answer {
        self.head().await.answer().await
    }

    /// Goes away without a word.
    pub fn leave(self) {
        self.head.abort();
    }
}

/// A request whose answer has begun. Dropping it closes the connection: the client has gone.
pub struct Exchange {
    response: Response<Incoming>,
    writer: Option<Sender<Bytes, Infallible>>,
    _connection: Connection,
}

impl Exchange {
    /// The answer's status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Writes a part of the request's body.
    pub async fn write(&mut self, part: impl Into<Bytes>) {
        in_time("writing", self.writer.as_mut().unwrap().send_data(part.into())).await.unwrap();
    }

    /// Ends the request's body.
    pub fn end(&mut self) {
        self.writer = None;
    }

    /// The next part of the answer's body; none at its good end.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn next(&mut self) -> hyper::Result<Option<Bytes>> {
        loop {
            let frame = in_time("the next part", self.response.body_mut().frame()).await;
            match frame.transpose()?.map(|frame| frame.into_data().unwrap_or_default()) {
                // HTTP/2 may end a body by an empty part.
                Some(part) if part.is_empty() => {}
                part => return Ok(part),
            }
        }
    }

    /// The next part as text, which must come.
    pub async fn text(&mut self) -> String {
        let part = self.next().await.unwrap().expect("the body has ended");
        String::from_utf8(part.to_vec()).unwrap()
    }

    /// Reads the rest.
    pub async fn answer(self) -> Answer {
        in_time("the rest of an answer", read(self.response)).await
    }
}
