//! Answers that need no guest, because the app gave them while it was built.
//!
//! **Contract.** What is answered here is what the app would answer, to the byte; whatever is not certain is left to it.
//! The SDK records only what holds for as long as the component does (`guest-sdk/python/fasterapi/_answers`), the
//! router says for certain what matches, and what of an answer depends on the request (where a redirect leads to,
//! where a body stops being JSON) is made here for the plain cases alone.

mod no_json;
pub(crate) mod redirect;

use std::sync::Arc;

use bytes::Bytes;
use fasterapi_core::{
    answers::{Answer, Answers},
    manifest::Manifest,
};
use fasterapi_edge::ResponseBody;
use fasterapi_router::{Outcome, RouteIndex, Router};
use fasterapi_runtime::Call;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::docs::Docs;
use no_json::NoJson;

/// The longest path that is answered here, in bytes as it was sent. Python refuses to read the digits of an `{n:int}`
/// beyond a limit that an app may lower as far as 640.
const MAX_PATH: usize = 512;

/// What a route is known to answer.
#[derive(Debug)]
pub(crate) enum Known {
    /// The same, whatever is asked.
    Document(Whole),
    /// To a body that is no JSON.
    NoJson(Arc<NoJson>),
    /// To what no route serves.
    Missing(Missing),
    /// To requests for the docs' files, which no route serves.
    Files(Arc<Docs>),
}

/// What is known of an app.
#[derive(Debug)]
pub(crate) struct KnownAnswers {
    /// Of each route of the manifest.
    pub(crate) routes: Vec<Option<Known>>,
    /// Of what no route serves.
    pub(crate) missing: Vec<Known>,
}

impl KnownAnswers {
    /// What the manifest says, unless that is not `wanted`, and what there is of `docs`. `paths` has the app's routes,
    /// whatever their methods.
    pub(crate) fn new(
        manifest: &Manifest,
        paths: &Arc<Router>,
        docs: Option<&Arc<Docs>>,
        wanted: bool,
    ) -> Self {
        let routes = manifest.routes.iter().map(|_| None).collect();
        let mut known = Self { routes, missing: docs.cloned().map(Known::Files).into_iter().collect() };
        if let Some(answers) = manifest.answers.as_ref().filter(|_| wanted) {
            known.take(manifest, answers, paths, docs);
        }
        known
    }

    fn take(
        &mut self,
        manifest: &Manifest,
        answers: &Answers,
        paths: &Arc<Router>,
        docs: Option<&Arc<Docs>>,
    ) -> Option<()> {
        if let Some(no_json) = &answers.no_json {
            let shared = Arc::new(NoJson::new(no_json)?);
            no_json.routes.iter().for_each(|route| self.set(*route, Known::NoJson(Arc::clone(&shared))));
        }
        for document in &answers.documents {
            let mut page = Whole::new(&document.answer)?;
            if let Some(docs) = docs {
                docs.rewrite(&mut page.headers, &mut page.body);
            }
            document.routes.iter().for_each(|route| self.set(*route, Known::Document(page.clone())));
        }
        self.missing.push(Known::Missing(Missing::new(manifest, answers, Arc::clone(paths))?));
        Some(())
    }

    fn set(&mut self, route: usize, known: Known) {
        if let Some(place) = self.routes.get_mut(route) {
            *place = Some(known);
        }
    }
}

impl Known {
    /// The app's answer to this request for a **decoded** path; none: only the app knows it.
    pub(crate) fn answer(&self, call: &Call, path: &str) -> Option<Whole> {
        let parts = &call.head.parts;
        let sent = parts.uri.path();
        if sent.len() > MAX_PATH || !sent.starts_with('/') || !sent.is_ascii() {
            return None;
        }
        match self {
            Self::Document(document) => Some(document.clone()),
            Self::NoJson(no_json) => no_json.answer(call),
            Self::Missing(missing) => missing.answer(call, path),
            Self::Files(docs) => docs.file(&parts.method, path),
        }
    }
}

/// An answer, all of it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Whole {
    fn new(answer: &Answer) -> Option<Self> {
        let mut headers = HeaderMap::with_capacity(answer.headers.len());
        for (name, value) in &answer.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
        }
        let body = Bytes::copy_from_slice(answer.body.as_bytes());
        Some(Self { status: StatusCode::from_u16(answer.status).ok()?, headers, body })
    }

    /// As it is sent. To a `HEAD`, too: the edge sends the head alone.
    pub(crate) fn response(self) -> Response<ResponseBody> {
        let mut response = Response::new(Full::new(self.body).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// What an app answers where no route of its serves the method and the path.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The app's routes, whatever their methods.
    paths: Arc<Router>,
    wrong_method: Vec<Option<Arc<Whole>>>,
    redirect_slashes: bool,
    not_found: Whole,
}

impl Missing {
    fn new(manifest: &Manifest, answers: &Answers, paths: Arc<Router>) -> Option<Self> {
        let mut wrong_method: Vec<_> = manifest.routes.iter().map(|_| None).collect();
        for given in &answers.wrong_method {
            let answer = Arc::new(Whole::new(&given.answer)?);
            for route in &given.routes {
                *wrong_method.get_mut(*route)? = Some(Arc::clone(&answer));
            }
        }
        Some(Self {
            paths,
            wrong_method,
            redirect_slashes: answers.redirect_slashes,
            not_found: Whole::new(&answers.not_found)?,
        })
    }

    /// As `starlette.routing.Router.app` goes on from there: the first route that has the path but not the method
    /// says so; else a path with another slash at its end that some route has is where to go; else there is nothing.
    fn answer(&self, call: &Call, path: &str) -> Option<Whole> {
        match self.paths.find("", path) {
            Outcome::Match { route: RouteIndex(route) } => self.wrong_method.get(route)?.as_deref().cloned(),
            Outcome::Missing if self.redirect_slashes && path != "/" => self.other_slash(call, path),
            Outcome::Missing => Some(self.not_found.clone()),
            _ => None,
        }
    }

    fn other_slash(&self, call: &Call, path: &str) -> Option<Whole> {
        let other = redirect::other_slash(path);
        match self.paths.find("", &other) {
            Outcome::Match { .. } => redirect::to(&call.head, &other),
            Outcome::Missing => Some(self.not_found.clone()),
            _ => None,
        }
    }
}
