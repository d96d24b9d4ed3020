//! Starlette's middleware, done here in the app's place: `fasterapi_core::layers` says which and how.
//!
//! **Contract.** A request passes the layers from the outermost in; one of them may answer it. What a plan or the host
//! itself answers is dressed by them from the innermost out; what the app's own stack answers went through them there.
//! Where it is not certain what Starlette would do (an odd host, text that is not ASCII), the app is asked instead.

mod cors;
mod gzip;
mod hosts;

use bytes::Bytes;
use fasterapi_core::layers::{self, Layer as Described};
use fasterapi_runtime::RequestHead;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::answers::{Whole, redirect};
use cors::Cors;
use gzip::Gzip;

/// The layers of an app, the outermost first. None of them: an app without, or one that does them all itself.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    early: bool,
    list: Vec<Layer>,
}

#[derive(Debug)]
enum Layer {
    Cors(Box<Cors>),
    TrustedHost { hosts: Vec<String>, any: bool },
    HttpsRedirect,
    Gzip(Gzip),
}

/// What a request meets on its way in.
pub(crate) enum Verdict {
    /// It passes.
    Pass,
    /// One of the layers answers it.
    Answer(Whole),
    /// The app knows, the host does not.
    Ask,
}

impl Layers {
    /// None where the description cannot be followed: the app's plans are not asked then, since nobody would dress what
    /// they answer.
    pub(crate) fn new(described: Option<&layers::Layers>) -> Option<Self> {
        let Some(described) = described else { return Some(Self::default()) };
        let list: Option<Vec<_>> = described.list.iter().map(Layer::new).collect();
        Some(Self { early: described.early, list: list? })
    }

    /// What becomes of a request for a **decoded** path, and what its answer is to be dressed in: one that a layer gives,
    /// in the layers outside of that.
    pub(crate) fn judge(&self, head: &RequestHead, path: &str) -> (Verdict, Dressing<'_>) {
        for (place, layer) in self.list.iter().enumerate() {
            match layer.judge(head, path) {
                Verdict::Pass => {}
                Verdict::Answer(answer) if self.early => {
                    let outer = self.list.get(..place).unwrap_or_default();
                    return (Verdict::Answer(answer), Dressing::new(outer, head));
                }
                Verdict::Answer(_) | Verdict::Ask => return (Verdict::Ask, Dressing::new(&[], head)),
            }
        }
        (Verdict::Pass, Dressing::new(&self.list, head))
    }
}

/// What layers add to an answer of one request.
pub(crate) struct Dressing<'a> {
    layers: &'a [Layer],
    origin: Option<HeaderValue>,
    accepts_gzip: bool,
}

impl<'a> Dressing<'a> {
    fn new(layers: &'a [Layer], head: &RequestHead) -> Self {
        let headers = &head.parts.headers;
        let origin = if layers.is_empty() { None } else { headers.get(header::ORIGIN).cloned() };
        Self { layers, origin, accepts_gzip: !layers.is_empty() && gzip::is_accepted(headers) }
    }

    /// Dresses a whole answer.
    pub(crate) async fn put_on(&self, status: StatusCode, headers: &mut HeaderMap, body: &mut Bytes) {
        for layer in self.layers.iter().rev() {
            match layer {
                Layer::Cors(cors) => cors.dress(self.origin.as_ref(), headers),
                Layer::Gzip(gzip) => gzip.dress(self.accepts_gzip, status, headers, body).await,
                Layer::TrustedHost { .. } | Layer::HttpsRedirect => {}
            }
        }
    }
}

impl Layer {
    fn new(described: &Described) -> Option<Self> {
        Some(match described {
            Described::Cors(cors) => Self::Cors(Box::new(Cors::new(cors)?)),
            Described::TrustedHost { hosts, any } => Self::TrustedHost { hosts: hosts.clone(), any: *any },
            Described::HttpsRedirect => Self::HttpsRedirect,
            Described::Gzip(gzip) => Self::Gzip(Gzip::new(gzip)?),
        })
    }

    fn judge(&self, head: &RequestHead, path: &str) -> Verdict {
        match self {
            Self::Cors(cors) => cors.judge(head),
            Self::TrustedHost { any: true, .. } | Self::Gzip(_) => Verdict::Pass,
            Self::TrustedHost { hosts, .. } => hosts::trusted(hosts, head),
            Self::HttpsRedirect => hosts::https(head, path),
        }
    }
}

/// Starlette's `PlainTextResponse`.
fn plain(status: StatusCode, mut headers: HeaderMap, text: String) -> Verdict {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Verdict::Answer(Whole { status, headers, body: text.into() })
}

/// All lines of `vary` become one, with `name` at its end.
fn vary_by(headers: &mut HeaderMap, name: &str) {
    let mut value = Vec::new();
    for line in headers.get_all(header::VARY) {
        value.extend_from_slice(line.as_bytes());
        value.extend_from_slice(b", ");
    }
    value.extend_from_slice(name.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&value) {
        headers.insert(header::VARY, value);
    }
}
