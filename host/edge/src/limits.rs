//! The bounds on what clients may do. Every one is enforced, and tested by a test that breaks it.

use std::num::NonZeroU32;
use std::time::Duration;

/// The bounds on what clients may do to one edge.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at once. Beyond it none is accepted until one ends; they wait in the kernel's backlog.
    pub max_connections: NonZeroU32,
    /// Bytes of a request's head: request line and headers with HTTP/1, the header list as RFC 9113 counts it
    /// (section 6.5.2) with HTTP/2. Over it: 431.
    pub header_bytes: u32,
    /// Header fields of a request. Over it: 431.
    pub header_count: u16,
    /// Bytes of a request target. Over it: 414. More than 65,534 cannot be had.
    pub uri_bytes: u16,
    /// From the first byte of an HTTP/1 request to the end of its head. Over it: 408 and a close. On a new
    /// connection, bytes that begin like HTTP/2's preface have this long again to become one.
    pub header_read: Duration,
    /// Bytes of a request's body. Over it: 413, at once where `Content-Length` says so, else as soon as the
    /// gateway has read that far and no response was started.
    pub body_bytes: u64,
    /// The longest wait for the next bytes of a request body, counted while the gateway waits for them. Over
    /// it: 408 where no response was started.
    pub body_idle: Duration,
    /// The longest wait for a client to take bytes of a response: the connection is cut, or with HTTP/2, where
    /// the client withholds flow control from one stream, that stream.
    pub write_idle: Duration,
    /// How long a connection without a request in flight is kept.
    pub keep_alive: Duration,
    /// Bytes of a message that a client sends over a WebSocket. Over it: closed with 1009.
    pub websocket_message_bytes: usize,
    /// How long a WebSocket's client may be silent before it is pinged, and then until it must have answered. Over it:
    /// closed with 1011.
    pub websocket_ping: Duration,
    /// Open HTTP/2 streams of one connection. Over it: the stream is refused.
    pub h2_max_streams: u32,
    /// HTTP/2 streams that a client reset before we took them. Over it: the connection ends with
    /// `ENHANCE_YOUR_CALM` (CVE-2023-44487, "rapid reset").
    pub h2_max_pending_resets: u32,
    /// HTTP/2 streams that we reset for errors the client made. Over it: the connection ends with
    /// `ENHANCE_YOUR_CALM` (CVE-2025-8671, "made you reset").
    pub h2_max_error_resets: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const TEN_THOUSAND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);
        Self {
            max_connections: TEN_THOUSAND,
            header_bytes: 32 * 1024,
            header_count: 100,
            uri_bytes: 8 * 1024,
            header_read: Duration::from_secs(10),
            body_bytes: 16 * 1024 * 1024,
            body_idle: Duration::from_secs(30),
            write_idle: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            websocket_message_bytes: 16 * 1024 * 1024,
            websocket_ping: Duration::from_secs(20),
            h2_max_streams: 128,
            h2_max_pending_resets: 20,
            h2_max_error_resets: 100,
        }
    }
}
