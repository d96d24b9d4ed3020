//! WebSockets on their way into an app: their routes, and the stages of an opening handshake.
//!
//! The stages are those of a request ([`crate::gateway`]), but for the pool: `identify → route → hub`. An instance serves many
//! WebSockets of one route, and no other route's, so they have pool keys of their own.

use std::sync::Arc;

use fasterapi_core::manifest::{Isolation, Manifest, RouteKind as ManifestKind};
use fasterapi_edge::{ResponseBody, websocket};
use fasterapi_router::{Outcome, RouteKind, RoutePattern, Router};
use fasterapi_runtime::{Answer, HubsError, RequestHead};
use http::Response;

use crate::{
    refusal::Refusal,
    respond::respond,
    revision::{PoolKey, WebSockets},
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
            if [manifest.isolation, route.isolation].contains(&Isolation::App) {
                return Some(shared.clone());
            }
            next += 1;
            Some(PoolKey { index: next, name: format!("websocket {}", route.path).into() })
        });
        let keys = keys.collect();
        Self { router: Router::new(patterns(manifest)), keys, shared }
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

fn patterns(manifest: &Manifest) -> impl Iterator<Item = RoutePattern<'_>> {
    let kind = |kind| match kind {
        ManifestKind::Websocket => RouteKind::Route,
        ManifestKind::Http => RouteKind::WebSocket,
        ManifestKind::Mount => RouteKind::Mount,
        _ => RouteKind::Opaque,
    };
    let routes = manifest.routes.iter();
    routes.map(move |route| RoutePattern { pattern: &route.path, methods: &[], kind: kind(route.kind) })
}

/// Has the app answer an opening handshake for `path`.
pub(crate) async fn open(
    websockets: &WebSockets,
    path: &str,
    number: u64,
    head: RequestHead,
) -> websocket::Handshake {
    let key = websockets.routes.find(path);
    let (wire, socket) = websocket::pair();
    match websockets.hubs.open(key.index, &key.name, number, head, socket).await {
        Ok(Answer::Accepted(headers)) => websocket::Handshake::Accepted { headers, wire },
        Ok(Answer::Refused(reply)) => websocket::Handshake::Refused(respond(reply)),
        Err(error) => websocket::Handshake::Refused(refused(error, number, &key.name)),
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
