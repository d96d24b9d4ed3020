//! The packed heads of `fasterapi:app/http`: a request's going in, a response's coming out.
//!
//! Text between guest and host is latin-1: one character, one byte. What comes out is hostile: it is parsed here
//! into checked types, or refused.

use std::net::SocketAddr;

use bytes::Bytes;
use fasterapi_core::latin1_bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, request::Parts};

use crate::{body::RequestBody, error::InvokeError, rest::Rest};

const MAX_HEADERS: usize = 256;
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// A request on its way into a guest.
pub struct Call {
    /// The number under which the log knows it.
    pub number: u64,
    /// Its head.
    pub head: RequestHead,
    /// The first bytes of its body.
    pub body: Bytes,
    /// The rest of its body. None: `body` is all of it.
    pub more: Option<RequestBody>,
    /// What the compiled lane needs to try it first.
    pub planned: Option<PlannedCall>,
}

/// A request as a plan of the compiled lane takes it (`fasterapi:app/compiled` in `wit/world.wit`).
#[derive(Debug)]
pub struct PlannedCall {
    /// The plan's number in the guest.
    pub plan: u32,
    /// The status of an answer that is JSON and nothing else.
    pub status: StatusCode,
    /// The values of path and query, as JSON.
    pub values: String,
    /// Whether it sees the head.
    pub head: bool,
    /// Whether it takes the body.
    pub body: bool,
}

/// A guest's response.
pub struct Reply {
    /// 200 to 599.
    pub status: StatusCode,
    /// As the guest gave them; the edge drops hop-by-hop ones.
    pub headers: HeaderMap,
    /// The first part of the body.
    pub body: Bytes,
    /// The rest. None: `body` is all of it.
    pub rest: Option<Rest>,
    /// Whether a plan of the compiled lane gave it: no middleware has seen it that the host does.
    pub planned: bool,
}

/// A request's head.
pub struct RequestHead {
    /// Method, target, version and headers.
    pub parts: Parts,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The client's address.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub server: SocketAddr,
}

impl RequestHead {
    /// The head as `fasterapi:app/http.handle` takes it. The host that HTTP/2 sends beside the headers is seen as
    /// `host`, first.
    #[must_use]
    pub fn pack(&self) -> String {
        let mut head = String::with_capacity(512);
        let (uri, headers) = (&self.parts.uri, &self.parts.headers);
        let (client, server) = (self.client.ip().to_string(), self.server.ip().to_string());
        let (client_port, server_port) = (self.client.port().to_string(), self.server.port().to_string());
        let query = uri.query().unwrap_or_default();
        let first = [self.parts.method.as_str(), uri.path(), query, self.scheme, version(self.parts.version)];
        let peers = [client.as_str(), client_port.as_str(), server.as_str(), server_port.as_str()];
        for (index, part) in first.into_iter().chain(peers).enumerate() {
            if index > 0 {
                head.push('\0');
            }
            head.push_str(part);
        }
        if let Some(authority) = uri.authority().filter(|_| !headers.contains_key(header::HOST)) {
            push_header(&mut head, "host", authority.as_str().as_bytes());
        }
        for (name, value) in headers {
            push_header(&mut head, name.as_str(), value.as_bytes());
        }
        head
    }
}

/// As ASGI names them.
const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn push_header(head: &mut String, name: &str, value: &[u8]) {
    head.push('\0');
    head.push_str(name);
    head.push('\0');
    push_latin1(head, value);
}

fn push_latin1(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(ascii) if ascii.is_ascii() => text.push_str(ascii),
        _ => text.extend(bytes.iter().copied().map(char::from)),
    }
}

/// The bytes of a latin-1 text.
pub(crate) fn latin1(text: String) -> Result<Bytes, InvokeError> {
    let bytes = latin1_bytes(text).ok_or(InvokeError::Malformed("a character that is no byte"))?;
    Ok(bytes.into())
}

/// A guest's response head.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The number of the body that the guest had the host lend it.
    pub(crate) lent: Option<u64>,
    /// Whether a plan gave it.
    pub(crate) planned: bool,
}

impl Head {
    /// The reply with this head, whose body is `body` and no more.
    pub(crate) fn with(self, body: Bytes) -> Reply {
        Reply { status: self.status, headers: self.headers, body, rest: None, planned: self.planned }
    }
}

/// What stands where a header's name would: no client could send it, and no header can have it.
const LENT: &[u8] = b":body";

/// Status and headers out of a packed response head.
pub(crate) fn unpack(head: String) -> Result<Head, InvokeError> {
    unpack_status(head, |status| (200..600).contains(&status))
}

/// The same out of the answer to the opening handshake of a WebSocket, which may have status 101.
pub(crate) fn unpack_opening(head: String) -> Result<Head, InvokeError> {
    unpack_status(head, |status| status == 101 || (200..600).contains(&status))
}

fn unpack_status(head: String, allowed: fn(u16) -> bool) -> Result<Head, InvokeError> {
    if head.len() > MAX_HEAD_BYTES {
        return Err(InvokeError::Malformed("over 128 KiB of headers"));
    }
    let head = latin1(head)?;
    let mut parts = head.split(|byte| *byte == 0);
    let status = parts.next().and_then(|status| StatusCode::from_bytes(status).ok());
    let status = status.filter(|status| allowed(status.as_u16()));
    let status = status.ok_or(InvokeError::Malformed("no status that an answer may have"))?;
    let (mut headers, mut lent) = (HeaderMap::with_capacity(8), None);
    while let Some(name) = parts.next() {
        if headers.len() == MAX_HEADERS {
            return Err(InvokeError::Malformed("over 256 headers"));
        }
        let value = parts.next().ok_or(InvokeError::Malformed("a header without a value"))?;
        if name == LENT {
            lent = Some(number(value).ok_or(InvokeError::Malformed("a lent body's number"))?);
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| InvokeError::Malformed("a header's name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| InvokeError::Malformed("a header's value"))?;
        headers.append(name, value);
    }
    Ok(Head { status, headers, lent, planned: false })
}

/// `postgres/NUMBER`.
fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.strip_prefix("postgres/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(head: &str) -> Result<(StatusCode, HeaderMap), String> {
        unpack(head.to_owned()).map(|head| (head.status, head.headers)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_lent_body_is_named_and_no_header() {
        let head = unpack("200\0:body\0postgres/7\0a\0b".to_owned()).unwrap();
        assert_eq!((head.lent, head.headers.len()), (Some(7), 1));
        for value in ["", "7", "postgres/", "postgres/-1", "postgres/7x", "postgres/99999999999999999999"] {
            assert!(unpack(format!("200\0:body\0{value}")).is_err(), "{value}");
        }
    }

    #[test]
    fn a_head_is_unpacked() {
        let (status, headers) = unpacked("201\0set-cookie\0a=1\0set-cookie\0b=\u{e9}").unwrap();
        assert_eq!(status, 201);
        let cookies: Vec<_> = headers.get_all("set-cookie").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(cookies, [&b"a=1"[..], b"b=\xe9"]);
        assert_eq!(unpacked("204").unwrap().0, 204);
    }

    #[test]
    fn a_hostile_head_is_refused() {
        for head in
            ["", "x", "99", "100", "600", "200\0name", "200\0a b\0c", "200\0a\0b\nc: d", "200\0a\0\u{1f4a9}"]
        {
            assert!(unpacked(head).is_err(), "{head:?}");
        }
        assert!(unpacked(&format!("200{}", "\0a\0b".repeat(257))).is_err());
        assert!(unpacked(&format!("200\0a\0{}", "b".repeat(MAX_HEAD_BYTES))).is_err());
    }

    #[test]
    fn a_head_is_packed() {
        let request = http::Request::get("http://example.org/%20?q=1").version(Version::HTTP_2);
        let request = request.header("x", HeaderValue::from_bytes(b"\xff").unwrap());
        let address = "127.0.0.1:80".parse().unwrap();
        let parts = request.body(()).unwrap().into_parts().0;
        let head = RequestHead { parts, scheme: "http", client: address, server: address };
        let packed =
            "GET\0/%20\0q=1\0http\x002\x00127.0.0.1\x0080\x00127.0.0.1\x0080\0host\0example.org\0x\0\u{ff}";
        assert_eq!(head.pack(), packed);
    }
}
