//! The opening handshake, the server's side (RFC 6455, section 4.2).

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::problem::Refusal;

/// Headers of an answer that are the edge's to say.
const OURS: [HeaderName; 6] =
    [CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS];

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// No WebSocket.
    None,
    /// A WebSocket. The key of the answer.
    Asked(HeaderValue),
    /// A WebSocket, wrongly.
    Malformed(Refusal),
}

/// Whether a request opens a WebSocket. Another `Upgrade`, or one with another method or version of HTTP, is ignored, as a
/// server may (RFC 9110, section 7.8).
pub(crate) fn opening<B>(request: &Request<B>) -> Opening {
    let headers = request.headers();
    if !headers.contains_key(UPGRADE)
        || request.method() != Method::GET
        || request.version() != Version::HTTP_11
        || !has_token(headers, &UPGRADE, "websocket")
        || !has_token(headers, &CONNECTION, "upgrade")
    {
        return Opening::None;
    }
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        return Opening::Malformed(Refusal::WEBSOCKET_BODY);
    }
    match only(headers, &SEC_WEBSOCKET_VERSION) {
        Some(version) if version.as_bytes() == b"13" => {}
        _ => return Opening::Malformed(Refusal::WEBSOCKET_VERSION),
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
    let accepted = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    accepted.map_or(Opening::Malformed(Refusal::WEBSOCKET_KEY), Opening::Asked)
}

/// The answer that accepts.
pub(crate) fn accept(key: HeaderValue, mut headers: HeaderMap) -> Response<Bytes> {
    for name in &OURS {
        headers.remove(name);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
}

/// The header's value where it stands once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether it is 16 bytes in Base64.
fn is_key(key: &[u8]) -> bool {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.strip_suffix(b"==").is_some_and(|digits| digits.iter().all(in_alphabet))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn asked(changes: &[(&str, &str)]) -> Opening {
        let mut request = Request::get("/").body(()).unwrap();
        let given = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        for (name, value) in given.iter().chain(changes) {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        opening(&request)
    }

    #[test]
    fn the_standards_own_example() {
        let key = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(asked(&[]), Opening::Asked(key));
    }

    #[test]
    fn what_opens_none() {
        for change in [("upgrade", "h2c"), ("connection", "keep-alive"), ("upgrade", "")] {
            assert_eq!(asked(&[change]), Opening::None, "{change:?}");
        }
        assert_eq!(opening(&Request::get("/").body(()).unwrap()), Opening::None);
    }

    #[test]
    fn what_is_malformed() {
        let short = "dGhlIHNhbXBsZSBub25jZQ=";
        for change in [("sec-websocket-key", ""), ("sec-websocket-key", short)] {
            assert_eq!(asked(&[change]), Opening::Malformed(Refusal::WEBSOCKET_KEY), "{change:?}");
        }
        let version = ("sec-websocket-version", "8");
        assert_eq!(asked(&[version]), Opening::Malformed(Refusal::WEBSOCKET_VERSION));
        assert_eq!(asked(&[("content-length", "0")]), Opening::Malformed(Refusal::WEBSOCKET_BODY));
    }
}
