//! Judges one whole request head.

use std::mem::MaybeUninit;

use http::Uri;
use httparse::{Header, Request, Status};

use crate::Limits;
use crate::problem::Refusal;

/// How a request's body is framed (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// This many bytes; 0 where there is none.
    Length(u64),
    Chunked,
}

/// What stands in a target though it has no place there (RFC 3986, section 2), and clients send as it is: `?filter={"a":1}`.
/// hyper would refuse it.
const QUOTED: &[u8] = b"\"<>`";

/// A head whose target has such bytes, percent-encoded in its place; none for any other head, one that is no head among
/// them.
pub(crate) fn respelled(head: &[u8]) -> Option<Vec<u8>> {
    let begin = head.iter().position(|byte| !b"\r\n".contains(byte))?;
    let line = head.get(begin..)?.split(|byte| *byte == b'\r').next()?;
    let target = line.split(|byte| *byte == b' ').nth(1)?;
    if !target.iter().any(|byte| QUOTED.contains(byte)) {
        return None;
    }
    let mut spelled = Vec::with_capacity(head.len() + 64);
    for (at, byte) in head.iter().enumerate() {
        if QUOTED.contains(byte) && (begin..begin + line.len()).contains(&at) {
            spelled.extend(format!("%{byte:02X}").as_bytes());
        } else {
            spelled.push(*byte);
        }
    }
    Some(spelled)
}

/// The headers that fit on the stack.
const STACK_HEADERS: usize = 100;

/// Judges a head, from the first byte of its request line to its empty line, whose lines all end with CR LF.
pub(crate) fn judge(bytes: &[u8], limits: &Limits) -> Result<BodyFraming, Refusal> {
    let count = usize::from(limits.header_count);
    if count <= STACK_HEADERS {
        let mut headers = [const { MaybeUninit::uninit() }; STACK_HEADERS];
        parse(bytes, headers.get_mut(..count).unwrap_or_default(), limits)
    } else {
        parse(bytes, &mut vec![MaybeUninit::uninit(); count], limits)
    }
}

fn parse<'b>(
    bytes: &'b [u8],
    headers: &mut [MaybeUninit<Header<'b>>],
    limits: &Limits,
) -> Result<BodyFraming, Refusal> {
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, headers) {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Refusal::BAD_HEAD),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HEAD_TOO_LARGE),
        Err(httparse::Error::Version) if names_a_version(bytes) => return Err(Refusal::BAD_VERSION),
        Err(_) => return Err(Refusal::BAD_HEAD),
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if target.len() > usize::from(limits.uri_bytes) {
        return Err(Refusal::URI_TOO_LONG);
    }
    check_target(method, target)?;
    Fields::collect(request.headers)?.framing(request.version == Some(1))
}

/// Whether the request line is well formed up to its version, which is `HTTP/` and two digits.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/"));
    words.next().is_none() && matches!(version, Some([b'0'..=b'9', b'.', b'0'..=b'9']))
}

/// The four forms of RFC 9112, section 3.2. CONNECT's is let through: the service refuses the method.
fn check_target(method: &str, target: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%?&=+:@,;!$'()*".contains(&byte);
    let origin_form = target.starts_with('/');
    if (origin_form && target.bytes().all(plain)) || (target == "*" && method == "OPTIONS") {
        return Ok(());
    }
    // `Uri` takes UTF-8 too; a URI has none (RFC 3986, section 2), and ASGI reads a target as ASCII.
    if !target.is_ascii() {
        return Err(Refusal::BAD_TARGET);
    }
    // Rare: hyper's own parser decides, so that it does not refuse later what passed here.
    let uri = Uri::try_from(target).map_err(|_| Refusal::BAD_TARGET)?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let absolute = web && uri.authority().is_some_and(|authority| valid_host(authority.as_str().as_bytes()));
    let fits = origin_form || absolute || method == "CONNECT";
    // A fragment is never sent, and `Uri` would silently cut it off.
    if fits && !target.contains('#') { Ok(()) } else { Err(Refusal::BAD_TARGET) }
}

/// Whether a `Host` value is a host with an optional port, by its characters: no user information, no list.
pub(crate) fn valid_host(value: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%:[]!$&'()*+;=".contains(byte);
    !value.is_empty() && value.iter().all(fits)
}

/// The fields that decide where the message ends and whom it is for.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    hosts: u32,
}

impl Fields {
    fn collect(headers: &[Header<'_>]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for header in headers {
            // By length first: most names are none of these.
            match header.name.len() {
                4 if header.name.eq_ignore_ascii_case("host") => fields.host(header.value)?,
                14 if header.name.eq_ignore_ascii_case("content-length") => fields.length(header.value)?,
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => fields.coding(header.value)?,
                _ => {}
            }
        }
        Ok(fields)
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        if valid_host(value) { Ok(()) } else { Err(Refusal::BAD_HOST) }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let repeated = self.length.replace(content_length(value)?).is_some();
        if repeated { Err(Refusal::BAD_LENGTH) } else { Ok(()) }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let repeated = std::mem::replace(&mut self.chunked, true);
        if repeated || !value.eq_ignore_ascii_case(b"chunked") { Err(Refusal::BAD_CODING) } else { Ok(()) }
    }

    fn framing(self, http11: bool) -> Result<BodyFraming, Refusal> {
        if self.hosts > 1 || (http11 && self.hosts == 0) {
            return Err(Refusal::BAD_HOST);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::TWO_LENGTHS),
            // RFC 9112, section 6.1: a 1.0 client that sends it is to be treated as faulty.
            (None, true) if !http11 => Err(Refusal::BAD_CODING),
            (None, true) => Ok(BodyFraming::Chunked),
            (length, false) => Ok(BodyFraming::Length(length.unwrap_or(0))),
        }
    }
}

/// Digits only (RFC 9110, section 8.6): no sign, no list.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::BAD_LENGTH);
    }
    let length = value.iter().try_fold(0u64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|length| *length <= u64::MAX / 2)
    });
    length.ok_or(Refusal::BODY_TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<BodyFraming, u16> {
        judge(head.as_bytes(), &Limits::default()).map_err(|refusal| refusal.status.as_u16())
    }

    fn with(fields: &str) -> Result<BodyFraming, u16> {
        judged(&format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"))
    }

    #[test]
    fn tells_how_the_body_is_framed() {
        assert_eq!(with(""), Ok(BodyFraming::Length(0)));
        assert_eq!(with("Content-Length: 007\r\n"), Ok(BodyFraming::Length(7)));
        assert_eq!(with("TRANSFER-ENCODING:\tChunked \r\n"), Ok(BodyFraming::Chunked));
        assert_eq!(judged("\r\nGET / HTTP/1.0\r\n\r\n"), Ok(BodyFraming::Length(0)));
    }

    #[test]
    fn refuses_framing_that_may_be_read_in_two_ways() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "Transfer-Encoding:\r\n",
            "Content-Length : 5\r\n",
            "A: b\r\n Content-Length: 5\r\n",
            "A: b\r\n\tfolded\r\n",
            "A: b\rContent-Length: 5\r\n",
            "A: \0\r\n",
            ": empty\r\n",
            "no colon\r\n",
        ] {
            assert_eq!(with(fields), Err(400), "{fields:?}");
        }
        let old = "POST / HTTP/1.0\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(judged(old), Err(400));
        assert_eq!(with("Content-Length: 99999999999999999999\r\n"), Err(413));
    }

    #[test]
    fn wants_exactly_one_valid_host() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", Err(400)),
            ("GET / HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nhost:\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", Err(400)),
            ("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", Ok(BodyFraming::Length(0))),
        ] {
            assert_eq!(judged(head), expected, "{head:?}");
        }
    }

    #[test]
    fn knows_the_forms_of_a_target() {
        let asked =
            |method: &str, target: &str| judged(&format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
        for (method, target) in [
            ("GET", "/"),
            ("GET", "/a%20b?c=[d]&e={f}"),
            ("GET", "//a"),
            ("GET", "http://b/c"),
            ("OPTIONS", "*"),
            ("CONNECT", "b:443"),
        ] {
            assert_eq!(asked(method, target), Ok(BodyFraming::Length(0)), "{method} {target}");
        }
        for (method, target) in [
            ("GET", "*"),
            ("GET", "a"),
            ("GET", "b:443"),
            ("GET", "ftp://b/"),
            ("GET", "http:///c"),
            ("GET", "http://u@b/"),
            ("GET", "/a#b"),
            ("GET", "/a b"),
            ("GET", "/<a>"),
            ("GET", "/\u{e9}"),
            ("GET", "/?q=\u{65e5}"),
            ("GET", "http://b/\u{e9}"),
            ("G@T", "/"),
        ] {
            assert_eq!(asked(method, target), Err(400), "{method} {target}");
        }
        assert_eq!(asked("GET", &format!("/{}", "a".repeat(9000))), Err(414));
    }

    #[test]
    fn a_target_may_be_spelled_in_another_way() {
        let spelled = |head: &str| respelled(head.as_bytes()).map(|head| String::from_utf8(head).unwrap());
        assert_eq!(
            spelled("\r\nGET /<a>`?q={\"b\":1} HTTP/1.1\r\nx: \"<y>\"\r\n\r\n").unwrap(),
            "\r\nGET /%3Ca%3E%60?q={%22b%22:1} HTTP/1.1\r\nx: \"<y>\"\r\n\r\n"
        );
        for head in
            ["GET /a?b={c} HTTP/1.1\r\nx: \"\r\n\r\n", "GET", "", "\r\n\r\n", "\"GET\" / HTTP/1.1\r\n\r\n"]
        {
            assert_eq!(spelled(head), None, "{head:?}");
        }
    }

    #[test]
    fn other_versions_are_told_so() {
        assert_eq!(judged("PRI * HTTP/2.0\r\n\r\n"), Err(505));
        assert_eq!(judged("GET / HTTP/1.2\r\nhost: a\r\n\r\n"), Err(505));
        assert_eq!(judged("GET / ICY\r\n\r\n"), Err(400));
        assert_eq!(judged("GET /\r\n\r\n"), Err(400));
    }

    #[test]
    fn counts_headers() {
        assert_eq!(with(&"a: b\r\n".repeat(99)), Ok(BodyFraming::Length(0)));
        assert_eq!(with(&"a: b\r\n".repeat(100)), Err(431));
        let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(200));
        let limits = Limits { header_count: 201, ..Limits::default() };
        assert_eq!(judge(many.as_bytes(), &limits), Ok(BodyFraming::Length(0)));
    }
}
