//! What the edge answers by itself: small RFC 9457 problem documents that say nothing of the inside.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};

/// Why the edge answers instead of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Plain text without characters that JSON escapes.
    detail: &'static str,
}

macro_rules! refusals {
    ($($name:ident = $status:ident, $detail:literal;)*) => {
        impl Refusal { $(pub(crate) const $name: Self = Self { status: StatusCode::$status, detail: $detail };)* }
    };
}

refusals! {
    BAD_HEAD = BAD_REQUEST, "The request's head is malformed.";
    BARE_LINE_FEED = BAD_REQUEST, "A line of the request's head does not end with CR LF.";
    BAD_TARGET = BAD_REQUEST, "The request's target is malformed.";
    BAD_HOST = BAD_REQUEST, "The request needs exactly one valid Host.";
    BAD_LENGTH = BAD_REQUEST, "The request's Content-Length is not one number.";
    BAD_CODING = BAD_REQUEST, "The request's Transfer-Encoding is not chunked, or not allowed.";
    TWO_LENGTHS = BAD_REQUEST, "The request has both Content-Length and Transfer-Encoding.";
    BAD_BODY = BAD_REQUEST, "The request's body is malformed.";
    SLOW_HEAD = REQUEST_TIMEOUT, "The request's head took too long.";
    SLOW_BODY = REQUEST_TIMEOUT, "The request's body took too long.";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "The request's body is over the limit.";
    URI_TOO_LONG = URI_TOO_LONG, "The request's target is over the limit.";
    HEAD_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are over the limit.";
    NO_CONNECT = NOT_IMPLEMENTED, "This server is no proxy.";
    WEBSOCKET_VERSION = UPGRADE_REQUIRED, "This server speaks version 13 of the WebSocket protocol.";
    WEBSOCKET_KEY = BAD_REQUEST, "The opening handshake needs one Sec-WebSocket-Key of 16 bytes.";
    WEBSOCKET_BODY = BAD_REQUEST, "The opening handshake of a WebSocket has no body.";
    BAD_VERSION = HTTP_VERSION_NOT_SUPPORTED, "This server does not speak this version of HTTP here.";
    BAD_RESPONSE = INTERNAL_SERVER_ERROR, "The application's response could not be sent.";
}

impl Refusal {
    /// The head and body of the answer. `close` where the connection cannot be used further (HTTP/1 only).
    pub(crate) fn response(self, close: bool) -> Response<Bytes> {
        let title = self.status.canonical_reason().unwrap_or_default();
        let (status, detail) = (self.status.as_u16(), self.detail);
        let body = format!(r#"{{"title":"{title}","status":{status},"detail":"{detail}"}}"#);
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONTENT_LENGTH, length);
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // RFC 6455, section 4.4; RFC 9110, section 15.5.22.
        if self.status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}
