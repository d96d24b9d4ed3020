//! WebSockets on their way into an app: their routes, and the stages of an opening handshake.
//!
//! The stages are those of a request ([`crate::gateway`]), but for the pool: `identify → route → hub`. An instance serves many
//! WebSockets of one route, and no other route's, so they have pool keys of their own.

use std::sync::Arc;

use fasterapi_core::manifest::{Manifest, RouteKind as ManifestKind};
use fasterapi_edge::{ResponseBody, websocket};
use fasterapi_router::{Outcome, RouteKind, Router};
use fasterapi_runtime::{Answer, Hubs, HubsError, Pool, RequestHead, WarmMaker};
use http::Response;

use crate::{
    refusal::Refusal,
    respond::respond,
    revision::{PoolKey, patterns, shares_state},
};

/// Which hubs serve which path.
pub(crate) struct Routes {
    router: Router,
    /// For each route of the manifest: its key where it is one for WebSockets.
    keys: Vec<Option<PoolKey>>,
    /// For what no route certainly matches, and for all where the app keeps state for all routes.
    shared: PoolKey,
}

impl Routes {
    /// The routes of an app. Their pool keys begin at `first`.
    pub(crate) fn new(manifest: &Manifest, first: usize) -> Self {
        let shared = PoolKey { index: first, name: "websocket *".into() };
        let mut next = first;
        let keys = manifest.routes.iter().map(|route| {
            if route.kind != ManifestKind::Websocket {
                return None;
            }
            if shares_state(manifest, route) {
                return Some(shared.clone());
            }
            next += 1;
            Some(PoolKey { index: next, name: format!("websocket {}", route.path).into() })
        });
        let keys = keys.collect();
        Self { router: Router::new(patterns(manifest, pattern_kind)), keys, shared }
    }

    /// How many pool keys they have.
    pub(crate) fn pools(&self) -> usize {
        let last = self.keys.iter().flatten().map(|key| key.index).max().unwrap_or(self.shared.index);
        last + 1 - self.shared.index
    }

    /// What serves a decoded path.
    fn find(&self, path: &str) -> &PoolKey {
        let key = match self.router.find("GET", path) {
            Outcome::Match { route } => self.keys.get(route.0).and_then(Option::as_ref),
            _ => None,
        };
        key.unwrap_or(&self.shared)
    }
}

/// How the opening of a WebSocket sees a route.
const fn pattern_kind(kind: ManifestKind) -> RouteKind {
    match kind {
        ManifestKind::Websocket => RouteKind::Route,
        ManifestKind::Http => RouteKind::WebSocket,
        ManifestKind::Mount => RouteKind::Mount,
        _ => RouteKind::Opaque,
    }
}

/// The WebSockets of a revision.
pub(crate) struct WebSockets {
    routes: Routes,
    hubs: Hubs,
}

impl WebSockets {
    /// Those of `routes`, served by instances of `pool`: `in_one` at a time and `in_all` in the life of each.
    pub(crate) fn new(routes: Routes, pool: &Arc<Pool<WarmMaker>>, in_one: usize, in_all: u64) -> Self {
        let hubs = Hubs::new(Arc::clone(pool), routes.shared.index, routes.pools(), in_one, in_all);
        Self { routes, hubs }
    }

    /// Has the app answer an opening handshake for `path`.
    pub(crate) async fn open(&self, path: &str, number: u64, head: RequestHead) -> websocket::Handshake {
        let key = self.routes.find(path);
        let (wire, socket) = websocket::pair();
        match self.hubs.open(key.index, &key.name, number, head, socket).await {
            Ok(Answer::Accepted(headers)) => websocket::Handshake::Accepted { headers, wire },
            Ok(Answer::Refused(reply)) => websocket::Handshake::Refused(respond(reply)),
            Err(error) => websocket::Handshake::Refused(refused(error, number, &key.name)),
        }
    }
}

fn refused(error: HubsError, number: u64, route: &Arc<str>) -> Response<ResponseBody> {
    let refusal: Refusal = match error {
        HubsError::Checkout(error) => error.into(),
        HubsError::Invoke(error) => error.into(),
    };
    refusal.log(number, route);
    refusal.response()
}
