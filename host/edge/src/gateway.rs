//! The one seam between the edge and the rest of the host.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

use crate::RequestBody;
use crate::websocket::Handshake;

/// Any error, as a response body may end with it. It reaches the log at debug level and never the client.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a gateway answers with. An error in it cuts the message short: the client sees a reset stream
/// (HTTP/2) or a connection that ends before the message does (HTTP/1), never a clean end.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// Answers requests. One gateway stands behind all protocols.
///
/// A request has a [`Peer`] among its extensions, exactly one `Host` header (none is possible with HTTP/1.0
/// only), and a URI in the form it came in: a path on HTTP/1, scheme and authority too on HTTP/2.
///
/// A response may be anything: the edge drops hop-by-hop headers, a body where none is allowed (HEAD, 204, 205,
/// 304), and answers 500 where the head cannot be sent (a 1xx status, a `Content-Length` that is not the
/// body's). A [`Compression`](crate::Compression) among its extensions overrides the edge's default.
pub trait Gateway: Send + Sync + 'static {
    /// Answers one request. Dropped when the client is gone: its connection closed or its stream was reset.
    ///
    /// On HTTP/1 that is noticed once the request body has been read; while an unread body fills the socket
    /// nothing behind it can be seen.
    fn handle(&self, request: Request<RequestBody>) -> impl Future<Output = Response<ResponseBody>> + Send;

    /// Answers the opening handshake of a WebSocket, which came well formed; its request has no body. As it stands,
    /// there are no WebSockets: the request is answered as any other, as RFC 9110 (section 7.8) allows.
    fn upgrade(&self, request: Request<RequestBody>) -> impl Future<Output = Handshake> + Send {
        async { Handshake::Refused(self.handle(request).await) }
    }
}

/// Who asks, over what. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The client's end of the connection, or, where a trusted proxy made the connection, whom it names
    /// (`EdgeConfig::trusted_proxies`), at port 0 where it names none.
    pub remote: SocketAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// The scheme the client used.
    pub scheme: Scheme,
}

impl Peer {
    pub(crate) fn new(remote: SocketAddr, local: SocketAddr, scheme: Scheme) -> Self {
        Self { remote, local, scheme }
    }
}

/// The scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
