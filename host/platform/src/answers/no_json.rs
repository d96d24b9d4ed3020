//! Bodies that are no JSON from their very beginning, where a route takes JSON.
//!
//! FastAPI reads such a body before anything else, so its answer depends on the body alone: what Python's `json` says of
//! it, and where. That is certain where the first character is none that a value of JSON can begin with, and the body
//! is one that `json` takes for UTF-8; all other bodies are the app's to read.

use std::fmt::Write;

use fasterapi_core::answers;
use fasterapi_runtime::Call;
use http::{HeaderValue, header};

use super::Whole;
use crate::plan::is_json;

/// The answer, around the place that it names.
#[derive(Debug)]
pub(crate) struct NoJson {
    answer: Whole,
    before: String,
    after: String,
}

impl NoJson {
    pub(super) fn new(given: &answers::NoJson) -> Option<Self> {
        let (before, after) = given.answer.body.split_at_checked(given.at)?;
        let after = after.strip_prefix('0')?.to_owned();
        Some(Self { answer: Whole::new(&given.answer)?, before: before.to_owned(), after })
    }

    /// The answer to a request that says it sends JSON, and does not.
    pub(super) fn answer(&self, call: &Call) -> Option<Whole> {
        if call.more.is_some() || !is_json(&call.head.parts.headers) {
            return None;
        }
        let mut body = self.before.clone();
        // A string takes whatever is written to it.
        let _ = write!(body, "{}{}", first_bad(&call.body)?, self.after);
        let mut headers = self.answer.headers.clone();
        if let Some(length) = headers.get_mut(header::CONTENT_LENGTH) {
            *length = HeaderValue::from(body.len());
        }
        Some(Whole { status: self.answer.status, headers, body: body.into() })
    }
}

/// Where Python's `json.loads` finds no value to begin. None: it may find one, or it would not take the body for UTF-8.
fn first_bad(body: &[u8]) -> Option<usize> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let at = body.iter().position(|byte| !space(byte)).unwrap_or(body.len());
    let rest = body.get(at..)?;
    let begins_a_value = rest
        .first()
        .is_some_and(|byte| matches!(byte, b'"' | b'{' | b'[' | b'-' | b'0'..=b'9'))
        || [&b"null"[..], b"true", b"false", b"NaN", b"Infinity"].iter().any(|word| rest.starts_with(word));
    let is_plain = !body.is_empty() && body.iter().all(|byte| byte.is_ascii() && *byte != 0);
    (is_plain && !begins_a_value).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places are those of `json.JSONDecodeError` with the words "Expecting value".
    #[test]
    fn places_are_pythons() {
        for (body, at) in [
            ("x", 0),
            ("a=b&c=d", 0),
            (" \r\n\t<x/>", 4),
            ("  ", 2),
            ("nul", 0),
            ("True", 0),
            ("'a'", 0),
            (",", 0),
        ] {
            assert_eq!(first_bad(body.as_bytes()), Some(at), "{body}");
        }
    }

    #[test]
    fn what_may_be_json_is_the_apps() {
        for body in
            ["", "{", "[x", "\"", "-", "1x", "nullx", "truex", "false", "NaN", "Infinity", "é", "x\0", "xé"]
        {
            assert_eq!(first_bad(body.as_bytes()), None, "{body}");
        }
        assert_eq!(first_bad(b"\xff\xfex\0"), None);
        assert_eq!(first_bad(b"x\xff"), None);
    }
}
