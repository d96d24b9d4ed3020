//! Starlette's middleware, done here in the app's place: `fasterapi_core::layers` says which and how.
//!
//! **Contract.** A request passes the layers from the outermost in; one of them may answer it. What a plan or the host
//! itself answers is dressed by them from the innermost out; what the app's own stack answers went through them there.
//! Where it is not certain what Starlette would do (an odd host, text that is not ASCII), the app is asked instead.

mod cors;
mod hosts;

use fasterapi_core::layers::{self, Layer as Described};
use fasterapi_edge::ResponseBody;
use fasterapi_runtime::RequestHead;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::answers::{redirect, respond};
use cors::Cors;

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
}

/// What a request meets on its way in.
pub(crate) enum Verdict {
    /// It passes.
    Pass,
    /// One of the layers answers it.
    Answer(Response<ResponseBody>),
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

    /// What becomes of a request for a **decoded** path.
    pub(crate) fn judge(&self, head: &RequestHead, path: &str) -> Verdict {
        for (place, layer) in self.list.iter().enumerate() {
            match layer.judge(head, path) {
                Verdict::Pass => {}
                Verdict::Answer(mut answer) if self.early => {
                    let outer = self.list.get(..place).unwrap_or_default();
                    dress(outer, origin(head), answer.headers_mut());
                    return Verdict::Answer(answer);
                }
                Verdict::Answer(_) | Verdict::Ask => return Verdict::Ask,
            }
        }
        Verdict::Pass
    }

    /// Keeps of a request what its answer is to be dressed by.
    pub(crate) fn dressing(&self, head: &RequestHead) -> Dressing<'_> {
        let origin = if self.list.is_empty() { None } else { origin(head).cloned() };
        Dressing { layers: self, origin }
    }
}

/// What the layers add to an answer of one request.
pub(crate) struct Dressing<'a> {
    layers: &'a Layers,
    origin: Option<HeaderValue>,
}

impl Dressing<'_> {
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        dress(&self.layers.list, self.origin.as_ref(), headers);
    }
}

fn dress(layers: &[Layer], origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for layer in layers.iter().rev() {
        if let Layer::Cors(cors) = layer {
            cors.dress(origin, headers);
        }
    }
}

fn origin(head: &RequestHead) -> Option<&HeaderValue> {
    head.parts.headers.get(header::ORIGIN)
}

impl Layer {
    fn new(described: &Described) -> Option<Self> {
        Some(match described {
            Described::Cors(cors) => Self::Cors(Box::new(Cors::new(cors)?)),
            Described::TrustedHost { hosts, any } => Self::TrustedHost { hosts: hosts.clone(), any: *any },
            Described::HttpsRedirect => Self::HttpsRedirect,
        })
    }

    fn judge(&self, head: &RequestHead, path: &str) -> Verdict {
        match self {
            Self::Cors(cors) => cors.judge(head),
            Self::TrustedHost { any: true, .. } => Verdict::Pass,
            Self::TrustedHost { hosts, .. } => hosts::trusted(hosts, head),
            Self::HttpsRedirect => hosts::https(head, path),
        }
    }
}

/// Starlette's `PlainTextResponse`.
fn plain(status: StatusCode, mut headers: HeaderMap, text: String) -> Verdict {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Verdict::Answer(respond(status, headers, text.into()))
}
