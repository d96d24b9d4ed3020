//! WebSocket over HTTP/1.1 (RFC 6455): the opening handshake (`handshake`), then messages, pings and the closing
//! handshake (`wire`).
//!
//! A gateway accepts a WebSocket by answering with one of two ends of a [`pair`]. The edge joins that [`Wire`] to the
//! client's connection; the gateway keeps the [`WebSocket`], which has whole messages in and messages or parts of them
//! out. Each direction holds one message at a time: who does not take one holds up who sends the next, as far as the
//! client's own socket.

mod handshake;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::sync::mpsc;

use crate::ResponseBody;

pub(crate) use handshake::{Opening, accept, opening};
pub(crate) use wire::Upgrade;

/// How a gateway answers the opening handshake of a WebSocket.
#[derive(Debug)]
pub enum Handshake {
    /// The connection becomes a WebSocket.
    Accepted {
        /// Further headers of the answer, `sec-websocket-protocol` among them where a subprotocol was chosen. What is the
        /// edge's to say (`upgrade`, `sec-websocket-accept`, lengths) is dropped.
        headers: HeaderMap,
        /// The client's end.
        wire: Wire,
    },
    /// It does not; this is the answer.
    Refused(Response<ResponseBody>),
}

/// The gateway's end.
#[derive(Debug)]
pub struct WebSocket {
    /// What the client sends. The last is always a [`Received::Close`], unless the edge was cut.
    pub incoming: mpsc::Receiver<Received>,
    /// What the client is to get. Dropped without a [`Sent::Close`], the client is told that the server failed
    /// (1011). Closed by the edge once nothing can be sent any more.
    pub outgoing: mpsc::Sender<Sent>,
}

/// The client's end.
#[derive(Debug)]
pub struct Wire {
    incoming: mpsc::Sender<Received>,
    outgoing: mpsc::Receiver<Sent>,
}

/// The two ends of a WebSocket.
#[must_use]
pub fn pair() -> (Wire, WebSocket) {
    let (to_gateway, incoming) = mpsc::channel(1);
    let (outgoing, from_gateway) = mpsc::channel(1);
    (Wire { incoming: to_gateway, outgoing: from_gateway }, WebSocket { incoming, outgoing })
}

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Something from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A whole message, of at most [`Limits::websocket_message_bytes`](crate::Limits::websocket_message_bytes).
    /// Text is valid UTF-8.
    Message(Kind, Bytes),
    /// The end: the client closed, its connection broke, it broke the protocol, or the server goes away. Nothing
    /// follows.
    Close(Close),
}

/// Something for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A message, or a part of one (RFC 6455, section 5.4). Text has to be UTF-8, which is the client's to check.
    Part {
        /// Of the whole message.
        kind: Kind,
        /// Whether a message begins with it.
        first: bool,
        /// Whether a message ends with it.
        last: bool,
        /// What it holds.
        data: Bytes,
    },
    /// The closing handshake is to begin. What follows is not sent.
    Close(Close),
}

/// Why a WebSocket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// RFC 6455, section 7.4. [`Close::NO_STATUS`] and [`Close::ABNORMAL`] are never sent.
    pub code: u16,
    /// At most 123 bytes.
    pub reason: String,
}

impl Close {
    /// The peer closed without a code.
    pub const NO_STATUS: u16 = 1005;
    /// The connection broke without a closing handshake.
    pub const ABNORMAL: u16 = 1006;
    /// A close without a reason.
    #[must_use]
    pub const fn of(code: u16) -> Self {
        Self { code, reason: String::new() }
    }
}
