//! Starlette's `CORSMiddleware` (`starlette/middleware/cors.py`), its decisions one by one.

use fasterapi_core::layers;
use fasterapi_runtime::RequestHead;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use regex::bytes::{Regex, RegexBuilder};

use super::{Verdict, plain, vary_by};

const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The largest regular expression for origins, compiled, in bytes: many times what the SDK's longest takes.
const MAX_REGEX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Cors {
    options: layers::Cors,
    origin_regex: Option<Regex>,
    simple: HeaderMap,
    preflight: HeaderMap,
}

impl Cors {
    pub(super) fn new(options: &layers::Cors) -> Option<Self> {
        let simple = headers(&options.simple)?;
        let preflight = headers(&options.preflight)?;
        let origin_regex = options.origin_regex.as_deref().map(whole_match).transpose().ok()?;
        Some(Self { options: options.clone(), origin_regex, simple, preflight })
    }

    /// A preflight is answered; anything else passes. An origin that is not ASCII is the app's to judge.
    pub(super) fn judge(&self, head: &RequestHead) -> Verdict {
        let asked = &head.parts.headers;
        let Some(origin) = asked.get(header::ORIGIN) else { return Verdict::Pass };
        let Ok(origin_text) = origin.to_str() else { return Verdict::Ask };
        let Some(method) = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD) else { return Verdict::Pass };
        if head.parts.method != Method::OPTIONS {
            return Verdict::Pass;
        }
        let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let (Ok(method), Ok(wanted_text)) = (method.to_str(), wanted.map(HeaderValue::to_str).transpose())
        else {
            return Verdict::Ask;
        };
        let mut headers = self.preflight.clone();
        let mut failures = Vec::new();
        if !self.allows(origin_text) {
            failures.push("origin");
        } else if self.options.explicit_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if !self.options.methods.iter().any(|allowed| allowed == method) {
            failures.push("method");
        }
        match wanted.zip(wanted_text) {
            Some((wanted, _)) if self.options.all_headers => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
            Some((_, text)) if !self.allows_headers(text) => failures.push("headers"),
            _ => {}
        }
        if asked.contains_key(PRIVATE_NETWORK) {
            if self.options.private_network {
                headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
            } else {
                failures.push("private-network");
            }
        }
        if failures.is_empty() {
            return plain(StatusCode::OK, headers, "OK".to_owned());
        }
        plain(StatusCode::BAD_REQUEST, headers, format!("Disallowed CORS {}", failures.join(", ")))
    }

    /// What an answer to a request with this origin gets.
    pub(super) fn dress(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let all = self.options.all_origins;
        if let Some(origin) = origin {
            for (name, value) in &self.simple {
                headers.insert(name, value.clone());
            }
            let allowed = if all {
                self.options.credentials
            } else {
                origin.to_str().is_ok_and(|text| self.allows(text))
            };
            if allowed {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
        }
        vary_by(headers, "Origin");
    }

    fn allows(&self, origin: &str) -> bool {
        let matches = |regex: &Regex| regex.is_match(origin.as_bytes());
        self.options.all_origins
            || self.origin_regex.as_ref().is_some_and(matches)
            || self.options.origins.iter().any(|allowed| allowed == origin)
    }

    fn allows_headers(&self, wanted: &str) -> bool {
        let allowed = |name: &str| self.options.headers.iter().any(|allowed| allowed == name);
        wanted.split(',').all(|name| allowed(name.trim_ascii().to_ascii_lowercase().as_str()))
    }
}

/// Python's `fullmatch`, for ASCII.
fn whole_match(regex: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{regex})\z")).unicode(false).size_limit(MAX_REGEX).build()
}

fn headers(pairs: &[(String, String)]) -> Option<HeaderMap> {
    let pair =
        |(name, value): &(String, String)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?));
    pairs.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 17] = [
        "",
        "a",
        "ab",
        "aab",
        "abab",
        "b",
        "a-b",
        "a.b",
        "a\tb",
        "_",
        "7",
        "A",
        "]",
        "^",
        "https://x.example",
        "http://x.example",
        "https://x.example:80",
    ];

    /// What the SDK writes for a pattern, and the texts of which Python's `fullmatch` says that they match it.
    #[test]
    fn patterns_match_as_pythons() {
        let cases: [(&str, &[&str]); 11] = [
            // ^a.?b$
            (r"\A\x61(?:.){0,1}\x62\z", &["ab", "aab", "a-b", "a.b", "a\tb"]),
            // (ab|a|)
            (r"(?:(?:\x61\x62|\x61|))", &["", "a", "ab"]),
            // (a|ab)(b|)
            (r"(?:\x61(?:|\x62))(?:(?:\x62|))", &["a", "ab"]),
            // [^a-z]
            (r"[^\x61-\x7a]", &["_", "7", "A", "]", "^"]),
            // [\w.-]+
            (r"(?:[\w\x2e\x2d]){1,}", &["a", "ab", "aab", "abab", "b", "a-b", "a.b", "_", "7", "A"]),
            // \S\s\S
            (r"[\S][\s][\S]", &["a\tb"]),
            // []^]
            (r"[\x5d\x5e]", &["]", "^"]),
            // (?:ab){2}
            (r"(?:\x61\x62){2,2}", &["abab"]),
            // https?://\w+\.example(?::\d+)?
            (
                r"\x68\x74\x74\x70(?:\x73){0,1}\x3a\x2f\x2f(?:[\w]){1,}\x2e\x65\x78\x61\x6d\x70\x6c\x65(?:\x3a(?:[\d]){1,}){0,1}",
                &["https://x.example", "http://x.example", "https://x.example:80"],
            ),
            // a$b
            (r"\x61\z\x62", &[]),
            // a+?b
            (r"(?:\x61){1,}\x62", &["ab", "aab"]),
        ];
        for (pattern, expected) in cases {
            let regex = whole_match(pattern).unwrap();
            let found: Vec<_> = TEXTS.into_iter().filter(|text| regex.is_match(text.as_bytes())).collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(whole_match("((a{1000}){1000}){1000}").is_err());
        assert!(whole_match("a(").is_err());
    }
}
