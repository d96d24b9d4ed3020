//! The packed heads of `fasterapi:app/http`: a request's going in, a response's coming out.
//!
//! Text between guest and host is latin-1: one character, one byte. What comes out is hostile: it is parsed here
//! into checked types, or refused.

use bytes::Bytes;
use fasterapi_core::latin1_bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    body::{GuestBody, RequestBody},
    error::InvokeError,
};

const MAX_HEADERS: usize = 256;
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// A request on its way into a guest.
pub struct Call {
    /// The number under which the log knows it.
    pub number: u64,
    /// Its packed head.
    pub head: String,
    /// The first bytes of its body.
    pub body: Bytes,
    /// The rest of its body. None: `body` is all of it.
    pub more: Option<RequestBody>,
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
    pub rest: Option<GuestBody>,
}

/// The parts of a request's head, borrowed for packing.
pub struct RequestHead<'a> {
    /// As sent.
    pub method: &'a str,
    /// Percent-encoded, without the query.
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// `1.0`, `1.1`, `2`.
    pub version: &'a str,
    /// The client's address.
    pub client: std::net::SocketAddr,
    /// The address that the client connected to.
    pub server: std::net::SocketAddr,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The host that HTTP/2 sends beside the headers: a guest sees it as `host`, first.
    pub authority: Option<&'a str>,
}

impl RequestHead<'_> {
    /// The head as `fasterapi:app/http.handle` takes it.
    #[must_use]
    pub fn pack(&self) -> String {
        let mut head = String::with_capacity(512);
        let (client, server) = (self.client.ip().to_string(), self.server.ip().to_string());
        let (client_port, server_port) = (self.client.port().to_string(), self.server.port().to_string());
        let first = [self.method, self.path, self.query, self.scheme, self.version];
        let peers = [client.as_str(), client_port.as_str(), server.as_str(), server_port.as_str()];
        for (index, part) in first.into_iter().chain(peers).enumerate() {
            if index > 0 {
                head.push('\0');
            }
            head.push_str(part);
        }
        if let Some(authority) = self.authority.filter(|_| !self.headers.contains_key(header::HOST)) {
            push_header(&mut head, "host", authority.as_bytes());
        }
        for (name, value) in self.headers {
            push_header(&mut head, name.as_str(), value.as_bytes());
        }
        head
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

/// Status and headers out of a packed response head.
pub(crate) fn unpack(head: String) -> Result<(StatusCode, HeaderMap), InvokeError> {
    if head.len() > MAX_HEAD_BYTES {
        return Err(InvokeError::Malformed("over 128 KiB of headers"));
    }
    let head = latin1(head)?;
    let mut parts = head.split(|byte| *byte == 0);
    let status = parts.next().and_then(|status| StatusCode::from_bytes(status).ok());
    let status = status.filter(|status| (200..600).contains(&status.as_u16()));
    let status = status.ok_or(InvokeError::Malformed("no status from 200 to 599"))?;
    let mut headers = HeaderMap::with_capacity(8);
    while let Some(name) = parts.next() {
        if headers.len() == MAX_HEADERS {
            return Err(InvokeError::Malformed("over 256 headers"));
        }
        let value = parts.next().ok_or(InvokeError::Malformed("a header without a value"))?;
        let name = HeaderName::from_bytes(name).map_err(|_| InvokeError::Malformed("a header's name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| InvokeError::Malformed("a header's value"))?;
        headers.append(name, value);
    }
    Ok((status, headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(head: &str) -> Result<(StatusCode, HeaderMap), String> {
        unpack(head.to_owned()).map_err(|error| error.to_string())
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
        let mut headers = HeaderMap::new();
        headers.append("x", HeaderValue::from_bytes(b"\xff").unwrap());
        let address = "127.0.0.1:80".parse().unwrap();
        let head = RequestHead {
            method: "GET",
            path: "/%20",
            query: "q=1",
            scheme: "http",
            version: "2",
            client: address,
            server: address,
            headers: &headers,
            authority: Some("example.org"),
        };
        let packed =
            "GET\0/%20\0q=1\0http\x002\x00127.0.0.1\x0080\x00127.0.0.1\x0080\0host\0example.org\0x\0\u{ff}";
        assert_eq!(head.pack(), packed);
    }
}
