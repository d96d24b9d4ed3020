//! A connection that became a WebSocket, from its first frame to its close.
//!
//! One task moves messages both ways, so the client's next message is not read before the gateway took the last one, and
//! the gateway's next one is not taken before the client's socket took the last. Pings find clients that are gone without a word: one
//! that says nothing for [`Limits::websocket_ping`] is pinged, and closed when it says nothing for as long again, counted only
//! while we would hear it.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::{Close, Kind, Received, Sent, Wire};
use crate::Limits;
use crate::h1::Guard;
use crate::shutdown::{Stage, Watch};
use crate::socket::Socket;
use crate::state::InFlight;

/// A connection holds one read buffer for as long as it lives.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 64 * 1024;

/// How long the client may take to answer our close (uvicorn's, too).
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// The longest reason that fits a control frame beside its code (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;

/// A handshake that was accepted: what is left to do once its answer is out.
#[derive(Debug)]
pub(crate) struct Upgrade {
    connection: OnUpgrade,
    wire: Wire,
    in_flight: InFlight,
}

impl Upgrade {
    pub(crate) fn new(connection: OnUpgrade, wire: Wire, in_flight: InFlight) -> Self {
        Self { connection, wire, in_flight }
    }

    /// Serves the WebSocket to its end.
    ///
    /// # Errors
    /// When a forced shutdown cut it: its request is in flight still.
    pub(crate) async fn run(self, watch: &mut Watch) -> Result<(), InFlight> {
        let Self { connection, wire, in_flight } = self;
        let limits = &in_flight.connection.config.limits;
        let Ok(upgraded) = connection.await else { return Ok(()) };
        // Never another type: it is what the connection was made of.
        let Ok(parts) = upgraded.downcast::<TokioIo<Guard>>() else { return Ok(()) };
        let (socket, held) = parts.io.into_inner().into_raw();
        let read = [&parts.read_buf[..], &held[..]].concat();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(limits.websocket_message_bytes))
            .max_frame_size(Some(limits.websocket_message_bytes));
        let stream = WebSocketStream::from_partially_read(socket, read, Role::Server, Some(config)).await;
        let mut conversation = Conversation::new(stream, wire, limits);
        let draining = watch.another();
        tokio::select! {
            biased;
            () = watch.reached(Stage::Forced) => return Err(in_flight),
            () = conversation.run(draining) => {}
        }
        conversation.end().await;
        Ok(())
    }
}

struct Conversation {
    stream: WebSocketStream<Socket>,
    /// None once the gateway was told of the end.
    incoming: Option<mpsc::Sender<Received>>,
    outgoing: mpsc::Receiver<Sent>,
    /// There when the gateway is ready for one more message: only then is the client read.
    ready: Option<mpsc::OwnedPermit<Received>>,
    ping: Duration,
    /// When the client was last heard, or could be heard again.
    heard: Instant,
    pinged: bool,
}

/// What happens next.
enum Event {
    Frame(Option<Result<Message, Error>>),
    Sent(Option<Sent>),
    /// The gateway takes one more message; none: it takes nothing any more.
    Ready(Option<mpsc::OwnedPermit<Received>>),
    Silence,
    Draining,
}

impl Conversation {
    fn new(stream: WebSocketStream<Socket>, wire: Wire, limits: &Limits) -> Self {
        let Wire { incoming, outgoing } = wire;
        let (ping, heard) = (limits.websocket_ping, Instant::now());
        Self { stream, incoming: Some(incoming), outgoing, ready: None, ping, heard, pinged: false }
    }

    /// Moves messages until one side closes, or nothing can be moved any more.
    async fn run(&mut self, watch: Watch) {
        let mut draining = pin!(draining(watch));
        loop {
            let goes_on = match self.next(draining.as_mut()).await {
                Event::Frame(frame) => self.received(frame).await,
                Event::Sent(sent) => self.send(sent).await,
                Event::Silence => self.silence().await,
                Event::Ready(ready) => {
                    // Where nobody listens there may be more to send.
                    self.incoming = self.incoming.take().filter(|_| ready.is_some());
                    (self.ready, self.heard) = (ready, Instant::now());
                    true
                }
                Event::Draining => {
                    self.close(Close::of(1012), true).await;
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn next(&mut self, draining: Pin<&mut impl Future<Output = ()>>) -> Event {
        let (hears, silent) = (self.ready.is_some(), self.heard + self.ping);
        let ready = async {
            match &self.incoming {
                Some(incoming) => incoming.clone().reserve_owned().await.ok(),
                None => pending().await,
            }
        };
        tokio::select! {
            ready = ready, if !hears => Event::Ready(ready),
            frame = self.stream.next(), if hears => Event::Frame(frame),
            sent = self.outgoing.recv() => Event::Sent(sent),
            () = sleep_until(silent), if hears => Event::Silence,
            () = draining => Event::Draining,
        }
    }

    async fn received(&mut self, frame: Option<Result<Message, Error>>) -> bool {
        (self.heard, self.pinged) = (Instant::now(), false);
        let close = match frame {
            Some(Ok(Message::Text(text))) => return self.pass(Kind::Text, text.into()),
            Some(Ok(Message::Binary(data))) => return self.pass(Kind::Binary, data),
            // Pings are answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return true,
            Some(Ok(Message::Close(frame))) => frame.map_or(Close::of(Close::NO_STATUS), said),
            Some(Err(error)) => return self.failed(&error).await,
            None => Close::of(Close::ABNORMAL),
        };
        self.tell(close);
        false
    }

    /// The client broke the protocol, or its connection broke.
    async fn failed(&mut self, error: &Error) -> bool {
        tracing::debug!(%error, "WebSocket ended early");
        match fault(error) {
            Some(code) => self.close(Close::of(code), false).await,
            None => self.tell(Close::of(Close::ABNORMAL)),
        }
        false
    }

    fn pass(&mut self, kind: Kind, data: Bytes) -> bool {
        if let Some(ready) = self.ready.take() {
            ready.send(Received::Message(kind, data));
        }
        true
    }

    async fn send(&mut self, sent: Option<Sent>) -> bool {
        let close = match sent {
            Some(Sent::Part { kind, first, last, data }) => {
                let frame = Frame::message(data, OpCode::Data(code(kind, first)), last);
                if self.stream.send(Message::Frame(frame)).await.is_ok() {
                    return true;
                }
                self.tell(Close::of(Close::ABNORMAL));
                return false;
            }
            Some(Sent::Close(close)) => close,
            None => Close::of(1011),
        };
        self.close(close, true).await;
        false
    }

    async fn silence(&mut self) -> bool {
        if self.pinged {
            self.tell(Close::of(1011));
            let close = Close { code: 1011, reason: "keepalive ping timeout".to_owned() };
            self.close(close, false).await;
            return false;
        }
        (self.heard, self.pinged) = (Instant::now(), true);
        self.stream.send(Message::Ping(Bytes::new())).await.is_ok()
    }

    /// Begins the closing handshake, and waits for the client's part of it where `politely`. What else it sends meanwhile is
    /// lost.
    async fn close(&mut self, close: Close, politely: bool) {
        let frame = frame(&close);
        self.outgoing.close();
        self.tell(close);
        let closing = async {
            if self.stream.send(Message::Close(frame)).await.is_err() || !politely {
                return;
            }
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        let _ = timeout(CLOSE_PATIENCE, closing).await;
    }

    /// Tells the gateway of the end, if it does not know. It may be busy with a message: then it is told when it is ready.
    fn tell(&mut self, close: Close) {
        let close = Received::Close(close);
        match (self.ready.take(), self.incoming.take()) {
            (Some(ready), _) => drop(ready.send(close)),
            (None, Some(incoming)) => drop(tokio::spawn(async move { incoming.send(close).await })),
            (None, None) => {}
        }
    }

    /// Sends what is left to send and closes the connection.
    async fn end(mut self) {
        self.outgoing.close();
        let ending = async {
            let _ = self.stream.flush().await;
            let socket = self.stream.get_mut();
            socket.want_linger();
            let _ = socket.shutdown().await;
        };
        let _ = timeout(CLOSE_PATIENCE, ending).await;
    }
}

async fn draining(mut watch: Watch) {
    watch.reached(Stage::Draining).await;
}

/// The code of the close that answers what the client did wrong. None: its connection just ended.
const fn fault(error: &Error) -> Option<u16> {
    match error {
        Error::Capacity(_) => Some(1009),
        Error::Utf8(_) => Some(1007),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(1002),
        _ => None,
    }
}

const fn code(kind: Kind, first: bool) -> Data {
    match kind {
        _ if !first => Data::Continue,
        Kind::Text => Data::Text,
        Kind::Binary => Data::Binary,
    }
}

fn said(frame: CloseFrame) -> Close {
    Close { code: frame.code.into(), reason: frame.reason.to_string() }
}

/// What goes over the wire: codes that must not be there, and what is no code, become 1011, and the reason is cut to what
/// fits.
fn frame(close: &Close) -> Option<CloseFrame> {
    let code = match close.code {
        Close::NO_STATUS => return None,
        1000..=1003 | 1007..=1014 | 3000..=4999 => close.code,
        _ => 1011,
    };
    let end = (0..=MAX_REASON).rev().find(|end| close.reason.is_char_boundary(*end)).unwrap_or(0);
    let reason = close.reason.get(..end).unwrap_or(&close.reason);
    Some(CloseFrame { code: code.into(), reason: Utf8Bytes::from(reason) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_sent_is_sent() {
        let sent = |code, reason: &str| frame(&Close { code, reason: reason.to_owned() });
        assert_eq!(sent(1005, "x"), None);
        for code in [0, 999, 1004, 1006, 1015, 2999, 5000] {
            assert_eq!(u16::from(sent(code, "").unwrap().code), 1011, "{code}");
        }
        for code in [1000, 1011, 3000, 4999] {
            assert_eq!(u16::from(sent(code, "").unwrap().code), code);
        }
        assert_eq!(sent(1000, "why").unwrap().reason.as_str(), "why");
        assert_eq!(sent(1000, &"é".repeat(100)).unwrap().reason.len(), 122);
    }
}
