//! Where Starlette sends a client whose path has a slash too much or too few: `starlette.datastructures.URL` of the
//! request with the other path, quoted by `RedirectResponse`.

use std::fmt::Write;

use bytes::Bytes;
use fasterapi_runtime::RequestHead;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Whole;

/// The decoded path without the slashes at its end, or with one.
pub(super) fn other_slash(path: &str) -> String {
    if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") }
}

/// The redirect to a decoded path. None: only the app knows how it reads this request's host or query.
pub(super) fn to(head: &RequestHead, path: &str) -> Option<Whole> {
    to_url(head.scheme, host(head)?, path, head)
}

/// The redirect to a decoded path of another server.
pub(crate) fn to_url(scheme: &str, host: &str, path: &str, head: &RequestHead) -> Option<Whole> {
    let query = head.parts.uri.query().unwrap_or_default();
    let location = location(scheme, host, path, query)?;
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(header::LOCATION, location);
    Some(Whole { status: StatusCode::TEMPORARY_REDIRECT, headers, body: Bytes::new() })
}

/// The host that the app sees (`RequestHead::pack`).
pub(crate) fn host(head: &RequestHead) -> Option<&str> {
    match head.parts.headers.get(header::HOST) {
        Some(value) => value.to_str().ok(),
        None => head.parts.uri.authority().map(http::uri::Authority::as_str),
    }
}

fn location(scheme: &str, host: &str, path: &str, query: &str) -> Option<HeaderValue> {
    if !is_plain_host(host) || !query.is_ascii() || !path.starts_with('/') || path.contains('\u{fffd}') {
        return None;
    }
    let mut quoted = format!("{scheme}://{host}");
    for character in path.chars() {
        match character {
            '?' => quoted.push_str("%3F"),
            '#' => quoted.push_str("%23"),
            '\\' => quoted.push_str("%5C"),
            other => quote(&mut quoted, other),
        }
    }
    if !query.is_empty() {
        quoted.push('?');
        query.chars().for_each(|character| quote(&mut quoted, character));
    }
    HeaderValue::from_str(&quoted).ok()
}

/// A name or an IPv4 address with or without a port, as `starlette._utils.parse_host_header` takes it. IPv6 addresses
/// are left to the app.
pub(crate) fn is_plain_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~%!$&'()*+,;=-".contains(&byte);
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    !name.is_empty() && name.bytes().all(allowed) && digits && port.parse::<u16>().is_ok()
}

/// Python's `quote(…, safe=":/%#?=@[]!$&'()*+,;")`.
fn quote(text: &mut String, character: char) {
    if character.is_ascii_alphanumeric() || "_.-~:/%#?=@[]!$&'()*+,;".contains(character) {
        text.push(character);
        return;
    }
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        // A string takes whatever is written to it.
        let _ = write!(text, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right column is what Starlette 1.10 under Python 3.14 says.
    #[test]
    fn locations_are_starlettes() {
        for (path, query, expected) in [
            ("/a/", "", "http://h:80/a/"),
            ("/a/", "b=c&d", "http://h:80/a/?b=c&d"),
            ("/a b/é?#\\%/", "q=%20\"{", "http://h:80/a%20b/%C3%A9%3F%23%5C%/?q=%20%22%7B"),
            ("//evil/", "", "http://h:80//evil/"),
        ] {
            assert_eq!(location("http", "h:80", path, query).unwrap(), expected);
        }
        assert_eq!(location("https", "h", "/a", "").unwrap(), "https://h/a");
    }

    #[test]
    fn what_is_not_plain_is_the_apps() {
        for host in
            ["", ":80", "h:", "h:99999", "h:x", "[::1]", "[::1]:80", "h/x", "a@b", "h:1:2", "é", "h h"]
        {
            assert_eq!(location("http", host, "/a", ""), None, "{host}");
        }
        assert_eq!(location("http", "h", "/a", "é"), None);
        assert_eq!(location("http", "h", "/\u{fffd}", ""), None);
        assert_eq!(location("http", "h", "", ""), None);
    }

    #[test]
    fn a_slash_is_added_or_all_are_taken() {
        assert_eq!(other_slash("/a"), "/a/");
        assert_eq!(other_slash("/a//"), "/a");
        assert_eq!(other_slash("//"), "");
    }
}
