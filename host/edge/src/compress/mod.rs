//! Streaming compression of responses: when, with what, and what it does to the head.

mod coding;
mod encoder;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, VARY,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

pub(crate) use coding::Coding;
pub(crate) use encoder::Compressor;

/// The smallest body worth compressing, in bytes, where its length is known.
const WORTHWHILE: u64 = 1024;

/// Whether a response may be compressed. As an extension of a response it overrides the edge's default.
///
/// *May*: only for a client that accepts zstd, br or gzip, a compressible `Content-Type`, and a body of at least
/// 1 KiB or of unknown length; never over `Content-Encoding`, `Content-Range`, a digest of the content, or
/// `Cache-Control: no-transform`. A streamed body stays a stream: whatever the gateway has given is on its way
/// to the client before the edge waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// It may.
    On,
    /// It is sent as it is.
    Off,
}

/// Decides, and changes the head where the response is or could have been compressed (`Vary`). `length` is the
/// body's, where known.
pub(crate) fn prepare(parts: &mut Parts, length: Option<u64>, accepted: Option<Coding>) -> Option<Coding> {
    if !eligible(parts.status, &parts.headers, length) {
        return None;
    }
    vary(&mut parts.headers);
    let coding = accepted?;
    let headers = &mut parts.headers;
    headers.insert(CONTENT_ENCODING, coding.name());
    headers.remove(CONTENT_LENGTH);
    // Byte positions are those of the uncompressed content.
    headers.remove(ACCEPT_RANGES);
    weaken_etag(headers);
    Some(coding)
}

fn eligible(status: StatusCode, headers: &HeaderMap, length: Option<u64>) -> bool {
    const DIGESTS: [HeaderName; 2] =
        [HeaderName::from_static("content-digest"), HeaderName::from_static("digest")];
    let has_content =
        !matches!(status, StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    has_content
        && length.is_none_or(|length| length >= WORTHWHILE)
        && headers.get(CONTENT_TYPE).is_some_and(compressible)
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !DIGESTS.iter().any(|name| headers.contains_key(name))
        && !lists(headers, &CACHE_CONTROL, "no-transform")
}

/// Whether a type's content is text in some form. What is packed already (images, archives) only gets longer.
fn compressible(content_type: &HeaderValue) -> bool {
    const TYPES: [&str; 13] = [
        "application/json",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/xml",
        "application/wasm",
        "application/ndjson",
        "application/x-ndjson",
        "application/jsonl",
        "application/yaml",
        "application/toml",
        "application/rtf",
        "application/vnd.ms-fontobject",
    ];
    let Ok(text) = content_type.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["+json", "+xml", "+text", "+yaml"].iter().any(|suffix| essence.ends_with(suffix))
        || ["font/ttf", "font/otf", "image/bmp"].contains(&essence.as_str())
        || TYPES.contains(&essence.as_str())
}

/// Whether a list header has this element, in any of its lines.
fn lists(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| item.trim().eq_ignore_ascii_case(element))
}

fn vary(headers: &mut HeaderMap) {
    if !lists(headers, &VARY, "accept-encoding") && !lists(headers, &VARY, "*") {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// A strong validator promises the same bytes (RFC 9110, section 8.8.1); these are others.
fn weaken_etag(headers: &mut HeaderMap) {
    let Some(etag) = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")) else { return };
    match HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()) {
        Ok(weak) => headers.insert(ETAG, weak),
        Err(_) => headers.remove(ETAG),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(fields: &[(&'static str, &'static str)]) -> Parts {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        for (name, value) in fields {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        parts
    }

    #[test]
    fn compresses_text_of_some_length() {
        for content_type in [
            "text/html; charset=utf-8",
            "Application/JSON",
            "application/problem+json",
            "image/svg+xml",
            "application/wasm",
            "text/event-stream",
        ] {
            let mut parts =
                parts(&[("content-type", content_type), ("content-length", "2000"), ("etag", "\"a\"")]);
            assert_eq!(prepare(&mut parts, Some(2000), Some(Coding::Brotli)), Some(Coding::Brotli));
            assert_eq!(parts.headers.get("content-encoding").unwrap(), "br");
            assert_eq!(parts.headers.get("etag").unwrap(), "W/\"a\"");
            assert!(!parts.headers.contains_key("content-length"));
        }
        for content_type in ["image/png", "application/zip", "application/octet-stream", "video/mp4"] {
            assert_eq!(
                prepare(&mut parts(&[("content-type", content_type)]), None, Some(Coding::Gzip)),
                None
            );
        }
        let text = || parts(&[("content-type", "text/plain")]);
        assert_eq!(prepare(&mut text(), Some(1023), Some(Coding::Gzip)), None);
        assert_eq!(prepare(&mut text(), Some(1024), Some(Coding::Gzip)), Some(Coding::Gzip));
        assert_eq!(prepare(&mut text(), None, Some(Coding::Gzip)), Some(Coding::Gzip));
        assert_eq!(prepare(&mut parts(&[]), None, Some(Coding::Gzip)), None);
    }

    #[test]
    fn leaves_alone_what_says_so() {
        for (name, value) in [
            ("content-encoding", "identity"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "public, No-Transform"),
            ("content-digest", "sha-256=:AAAA:"),
        ] {
            let mut parts = parts(&[("content-type", "text/plain"), (name, value)]);
            assert_eq!(prepare(&mut parts, None, Some(Coding::Gzip)), None, "{name}");
            assert!(!parts.headers.contains_key(VARY), "{name}");
        }
        for status in [204, 206, 304] {
            let mut parts = parts(&[("content-type", "text/plain")]);
            parts.status = StatusCode::from_u16(status).unwrap();
            assert_eq!(prepare(&mut parts, None, Some(Coding::Gzip)), None, "{status}");
        }
    }

    #[test]
    fn vary_is_merged_and_there_for_every_client() {
        for (before, after) in [
            (&[][..], &["Accept-Encoding"][..]),
            (&["Origin"], &["Origin", "Accept-Encoding"]),
            (&["Origin, accept-encoding"], &["Origin, accept-encoding"]),
            (&["*"], &["*"]),
        ] {
            let mut parts = parts(&[("content-type", "text/plain")]);
            before.iter().for_each(|value| {
                parts.headers.append(VARY, HeaderValue::from_static(value));
            });
            assert_eq!(prepare(&mut parts, None, None), None);
            assert_eq!(parts.headers.get_all(VARY).iter().collect::<Vec<_>>(), after);
            assert!(!parts.headers.contains_key(CONTENT_ENCODING));
        }
    }
}
