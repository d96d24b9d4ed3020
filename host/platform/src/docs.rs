//! The pages that show an app's OpenAPI document, without a network beyond the app's own.
//!
//! FastAPI's pages name scripts and styles at other hosts. Where a component carries those files
//! (`fasterapi_core::docs`), the host serves them below a path that no route of the app takes, and puts that path in the
//! place of the addresses. The rest of a page stays the app's own; so does a page that is not as FastAPI makes it.

use std::sync::Arc;

use bytes::Bytes;
use fasterapi_core::docs::DocsFiles;
use fasterapi_router::{Outcome, Router};
use fasterapi_runtime::{Call, Reply};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::answers::Whole;

const FOLDER: &str = "/_fasterapi/docs";

/// The addresses in FastAPI's pages (`fastapi.openapi.docs`), and the file that each stands for.
const ADDRESSES: [(&str, &str); 5] = [
    ("https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js", "swagger-ui-bundle.js"),
    ("https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css", "swagger-ui.css"),
    ("https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js", "redoc.standalone.js"),
    ("https://fastapi.tiangolo.com/img/favicon.png", "favicon.png"),
    ("https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700", "fonts.css"),
];

/// Redoc looks well in the reader's own fonts; without the file it would wait for the others.
const FONTS: (&str, &[u8]) = ("fonts.css", b"/* the reader's own */\n");

/// The files, and where the pages find them.
#[derive(Debug)]
pub(crate) struct Docs {
    files: Vec<(String, Whole)>,
    addresses: Vec<(&'static str, String)>,
}

impl Docs {
    /// None where there are no files, or a route may take one of their paths. `paths` has the app's routes, whatever
    /// their methods.
    pub(crate) fn new(docs: &DocsFiles, paths: &Router) -> Option<Arc<Self>> {
        let own = docs.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let path = |name: &str| format!("{FOLDER}/{}/{name}", docs.version);
        let files: Vec<_> =
            own.chain([FONTS]).filter_map(|(name, bytes)| Some((path(name), file(name, bytes)?))).collect();
        let there = |path: &String| files.iter().any(|(there, _)| there == path);
        let addresses: Vec<_> = ADDRESSES.into_iter().map(|(address, name)| (address, path(name))).collect();
        let complete = addresses.iter().all(|(_, path)| there(path));
        let free = files.iter().all(|(path, _)| paths.find("", path) == Outcome::Missing);
        (complete && free).then(|| Arc::new(Self { files, addresses }))
    }

    /// The file at a path.
    pub(crate) fn file(&self, method: &Method, path: &str) -> Option<Whole> {
        let reads = [Method::GET, Method::HEAD].contains(method);
        let (_, file) = self.files.iter().find(|(there, _)| reads && there == path)?;
        Some(file.clone())
    }

    /// Makes the request for a page one that is answered with a page that can be read: whole and not compressed.
    pub(crate) fn ask(self: &Arc<Self>, call: &mut Call) -> Page {
        let parts = &mut call.head.parts;
        parts.headers.remove(header::ACCEPT_ENCODING);
        let head = parts.method == Method::HEAD;
        if head {
            parts.method = Method::GET;
        }
        Page { docs: Arc::clone(self), head }
    }

    /// Puts paths in the place of the addresses in a page.
    pub(crate) fn rewrite(&self, headers: &mut HeaderMap, body: &mut Bytes) {
        let is_page =
            headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let Ok(text) = std::str::from_utf8(body) else { return };
        if !is_page || headers.contains_key(header::CONTENT_ENCODING) {
            return;
        }
        let mut page = text.to_owned();
        for (address, path) in &self.addresses {
            page = page.replace(&format!("\"{address}\""), &format!("\"{path}\""));
        }
        *body = page.into();
        if let Some(length) = headers.get_mut(header::CONTENT_LENGTH) {
            *length = HeaderValue::from(body.len());
        }
    }
}

/// A page that was asked for.
pub(crate) struct Page {
    docs: Arc<Docs>,
    /// Whether its head alone was wanted.
    head: bool,
}

impl Page {
    /// The guest's answer, with the paths of the files if it is a page that was asked for.
    pub(crate) fn of(asked: Option<Self>, mut reply: Reply) -> Reply {
        let Some(page) = asked.filter(|_| reply.rest.is_none()) else { return reply };
        if reply.status == StatusCode::OK {
            page.docs.rewrite(&mut reply.headers, &mut reply.body);
        }
        if page.head {
            reply.body = Bytes::new();
        }
        reply
    }
}

fn file(name: &str, bytes: &[u8]) -> Option<Whole> {
    let kind = match name.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "png" => "image/png",
        _ => return None,
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=604800"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(Whole { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(bytes) })
}
