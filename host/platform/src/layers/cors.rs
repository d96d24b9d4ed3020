//! Starlette's `CORSMiddleware` (`starlette/middleware/cors.py`), its decisions one by one.

use fasterapi_core::layers;
use fasterapi_runtime::RequestHead;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{Verdict, plain};

const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

#[derive(Debug)]
pub(super) struct Cors {
    options: layers::Cors,
    simple: HeaderMap,
    preflight: HeaderMap,
}

impl Cors {
    pub(super) fn new(options: &layers::Cors) -> Option<Self> {
        let simple = headers(&options.simple)?;
        let preflight = headers(&options.preflight)?;
        Some(Self { options: options.clone(), simple, preflight })
    }

    /// A preflight is answered; anything else passes.
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
        vary_by_origin(headers);
    }

    fn allows(&self, origin: &str) -> bool {
        self.options.all_origins || self.options.origins.iter().any(|allowed| allowed == origin)
    }

    fn allows_headers(&self, wanted: &str) -> bool {
        let allowed = |name: &str| self.options.headers.iter().any(|allowed| allowed == name);
        wanted.split(',').all(|name| allowed(name.trim_ascii().to_ascii_lowercase().as_str()))
    }
}

/// All lines of `vary` become one, with `Origin` at its end.
fn vary_by_origin(headers: &mut HeaderMap) {
    let mut value = Vec::new();
    for line in headers.get_all(header::VARY) {
        value.extend_from_slice(line.as_bytes());
        value.extend_from_slice(b", ");
    }
    value.extend_from_slice(b"Origin");
    if let Ok(value) = HeaderValue::from_bytes(&value) {
        headers.insert(header::VARY, value);
    }
}

fn headers(pairs: &[(String, String)]) -> Option<HeaderMap> {
    let pair =
        |(name, value): &(String, String)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?));
    pairs.iter().map(pair).collect()
}
