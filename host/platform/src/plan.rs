//! A route's plan, from the host's side: what of a request it takes, and whether a request is one for it at all.
//!
//! The compiled lane is for what is certain. A request with anything unusual (a body of another kind, bytes in the
//! query that are not ASCII) gets no plan, and the ASGI lane answers it as ever.

use std::borrow::Cow;

use fasterapi_core::manifest::{self, BodyKind};
use fasterapi_runtime::PlannedCall;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;

/// A plan ready to be asked.
#[derive(Debug)]
pub(crate) struct Plan {
    number: u32,
    status: StatusCode,
    path: Vec<Capture>,
    query: Vec<manifest::Wanted>,
    headers: Vec<WantedHeader>,
    body: Option<BodyKind>,
    head: bool,
}

/// A parameter of the path: a whole segment, or all from one on.
#[derive(Debug)]
struct Capture {
    name: String,
    segment: usize,
    tail: bool,
}

/// A header, and whether all its values are wanted, or the first.
#[derive(Debug)]
struct WantedHeader {
    name: HeaderName,
    key: String,
    list: bool,
}

impl Plan {
    /// The plan of a route; none where it has none, or one that does not fit its pattern.
    pub(crate) fn of(route: &manifest::Route) -> Option<Self> {
        let plan = route.plan.as_ref()?;
        let path: Option<Vec<_>> = plan.path.iter().map(|name| Capture::of(name, &route.path)).collect();
        let headers: Option<Vec<_>> = plan.headers.iter().map(WantedHeader::of).collect();
        Some(Self {
            number: plan.number,
            status: StatusCode::from_u16(plan.status).ok()?,
            path: path?,
            query: plan.query.clone(),
            headers: headers?,
            body: plan.body,
            head: plan.head,
        })
    }

    /// Whether the plan takes a body of this kind (RFC 9110, section 8.3; FastAPI's own test).
    pub(crate) fn takes(&self, headers: &HeaderMap, empty: bool) -> bool {
        match self.body {
            None => true,
            Some(BodyKind::Json) => !empty && is_json(headers),
            Some(BodyKind::Form) => media_type(headers).is_some_and(is_form),
        }
    }

    /// The call for a request with this **decoded** path, and query and headers as they were sent.
    pub(crate) fn call(&self, path: &str, query: &str, headers: &HeaderMap) -> Option<PlannedCall> {
        Some(PlannedCall {
            plan: self.number,
            status: self.status,
            values: self.values(path, query, headers)?,
            head: self.head,
            body: self.body.is_some(),
        })
    }

    /// A JSON object of strings: the path's parameters by name, the query's by `?name`, headers by `@name`.
    fn values(&self, path: &str, query: &str, headers: &HeaderMap) -> Option<String> {
        if self.path.is_empty() && self.query.is_empty() && self.headers.is_empty() {
            return Some("{}".to_owned());
        }
        let mut values = Values::new();
        for capture in &self.path {
            values.add(&capture.name);
            values.string(capture.take(path)?);
        }
        if !self.query.is_empty() && !query.is_empty() {
            let given = parse_query(query)?;
            for wanted in &self.query {
                let mut found = given.iter().filter(|(name, _)| *name == wanted.name).map(|(_, value)| value);
                let key = || format!("?{}", wanted.name);
                if wanted.list {
                    values.list(&key(), found);
                } else if let Some(last) = found.next_back() {
                    values.add(&key());
                    values.string(last);
                }
            }
        }
        for wanted in &self.headers {
            let mut found = headers.get_all(&wanted.name).iter().map(latin1);
            if wanted.list {
                values.list(&wanted.key, found);
            } else if let Some(first) = found.next() {
                values.add(&wanted.key);
                values.string(&first);
            }
        }
        Some(values.end())
    }
}

impl Capture {
    fn of(name: &str, pattern: &str) -> Option<Self> {
        let is = |segment: &str, suffix| {
            segment.strip_prefix('{').and_then(|rest| rest.strip_suffix(suffix)) == Some(name)
        };
        let mut segments = pattern.split('/').enumerate();
        segments.find_map(|(segment, text)| {
            let tail = is(text, ":path}");
            (tail || is(text, "}") || is(text, ":str}")).then(|| Self {
                name: name.to_owned(),
                segment,
                tail,
            })
        })
    }

    fn take<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.tail {
            path.splitn(self.segment + 1, '/').nth(self.segment)
        } else {
            path.split('/').nth(self.segment)
        }
    }
}

impl WantedHeader {
    fn of(wanted: &manifest::Wanted) -> Option<Self> {
        let name = wanted.name.parse().ok()?;
        Some(Self { name, key: format!("@{}", wanted.name), list: wanted.list })
    }
}

/// A header's value as ASGI frameworks read it: a byte is a character.
fn latin1(value: &HeaderValue) -> Cow<'_, str> {
    value.to_str().map_or_else(|_| value.as_bytes().iter().copied().map(char::from).collect(), Cow::Borrowed)
}

/// Writes the object, piece by piece.
struct Values(Vec<u8>);

impl Values {
    fn new() -> Self {
        Self(Vec::with_capacity(128))
    }

    fn add(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.string(key);
        self.0.push(b':');
    }

    fn string(&mut self, text: &str) {
        // A string into memory: there is nothing that could fail.
        let _ = serde_json::to_writer(&mut self.0, text);
    }

    fn list<T: AsRef<str>>(&mut self, key: &str, values: impl Iterator<Item = T>) {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return;
        }
        self.add(key);
        let mut separator = b'[';
        for value in values {
            self.0.push(separator);
            separator = b',';
            self.string(value.as_ref());
        }
        self.0.push(b']');
    }

    fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}

/// A query as Python's `parse_qsl` reads it, blank values kept: pairs between `&`, `+` is a space, percent-encoded
/// UTF-8 with U+FFFD for what is none. None: it has bytes that are not ASCII, which Starlette reads as latin-1.
fn parse_query(query: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    if !query.is_ascii() {
        return None;
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Some(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// The type and subtype that the one `content-type` names.
fn media_type(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let kind = value.to_str().ok()?.split(';').next().unwrap_or_default();
    kind.trim().split_once('/').filter(|(_, sub)| !sub.contains('/'))
}

/// Whether FastAPI takes the body for JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some((main, sub)) = media_type(headers) else { return false };
    let sub = sub.to_ascii_lowercase();
    main.eq_ignore_ascii_case("application") && (sub == "json" || sub.ends_with("+json"))
}

fn is_form((main, sub): (&str, &str)) -> bool {
    let is = |kind: &str, subtype: &str| main.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype);
    is("application", "x-www-form-urlencoded") || is("multipart", "form-data")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pattern: &str, path: &[&str], query: &[(&str, bool)]) -> Plan {
        let query =
            query.iter().map(|(name, list)| manifest::Wanted { name: (*name).to_owned(), list: *list });
        Plan {
            number: 0,
            status: StatusCode::OK,
            path: path.iter().map(|name| Capture::of(name, pattern).unwrap()).collect(),
            query: query.collect(),
            headers: Vec::new(),
            body: Some(BodyKind::Json),
            head: false,
        }
    }

    #[test]
    fn values_are_written() {
        let plan = plan("/a/{x}/{rest:path}", &["x", "rest"], &[("q", false), ("many", true), ("é", false)]);
        let values = |path, query| plan.values(path, query, &HeaderMap::new()).unwrap();
        assert_eq!(values("/a/1/b/c", ""), r#"{"x":"1","rest":"b/c"}"#);
        assert_eq!(
            values("/a/\"/", "many=1&q=x&&many=%C3%A9&q=a+b%2B%FF&%C3%A9&other=1"),
            r#"{"x":"\"","rest":"","?q":"a b+\ufffd","?many":["1","é"],"?é":""}"#
                .replace("\\ufffd", "\u{fffd}")
        );
        assert_eq!(plan.values("/a/1/", "q=\u{e9}", &HeaderMap::new()), None);
    }

    #[test]
    fn nothing_wanted_is_an_empty_object() {
        assert_eq!(plan("/", &[], &[]).values("/", "q=1", &HeaderMap::new()).unwrap(), "{}");
        assert_eq!(plan("/", &[], &[("q", false)]).values("/", "", &HeaderMap::new()).unwrap(), "{}");
    }

    #[test]
    fn headers_are_picked() {
        let wanted =
            |name: &str, list| WantedHeader::of(&manifest::Wanted { name: name.to_owned(), list }).unwrap();
        let plan = Plan {
            headers: vec![wanted("x", false), wanted("y", true), wanted("z", true)],
            ..plan("/", &[], &[])
        };
        let header =
            |name, value: &[u8]| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        let headers = [header("x", b"caf\xe9"), header("x", b"2"), header("y", b"\""), header("y", b"")];
        let values = plan.values("/", "", &headers.into_iter().collect()).unwrap();
        assert_eq!(values, r#"{"@x":"café","@y":["\"",""]}"#);
    }

    #[test]
    fn bodies_are_json_or_not_for_the_plan() {
        let plan = plan("/", &[], &[]);
        let takes = |values: &[&str]| {
            let headers = values.iter().map(|value| (header::CONTENT_TYPE, value.parse().unwrap()));
            plan.takes(&headers.collect(), false)
        };
        for kind in ["application/json", "Application/JSON ; charset=utf-8", "application/problem+json"] {
            assert!(takes(&[kind]), "{kind}");
        }
        for kind in ["text/json", "application/jsonx", "application/x/json", "json", ""] {
            assert!(!takes(&[kind]), "{kind}");
        }
        assert!(!takes(&[]));
        assert!(!takes(&["application/json", "application/json"]));
        assert!(!plan.takes(&HeaderMap::new(), true));
        let form = Plan { body: Some(BodyKind::Form), ..plan };
        let takes = |kind: &str| {
            form.takes(&[(header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect(), true)
        };
        assert!(takes("multipart/form-data; boundary=x") && takes("Application/X-WWW-form-urlencoded"));
        assert!(!takes("application/json") && !takes("multipart/mixed"));
    }
}
