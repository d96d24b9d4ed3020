//! The path of a request. The stages, in order, are the lines of [`Platform::serve`].

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use fasterapi_edge::{Gateway, Peer, RequestBody, ResponseBody, websocket::Handshake};
use fasterapi_router::decode_path;
use fasterapi_runtime::{Call, Checkout, PlannedCall, RequestHead, WarmMaker};
use fasterapi_telemetry::spans;
use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;

use crate::{
    answer::{Way, answer},
    docs::Page,
    drive,
    plan::Plan,
    refusal::Refusal,
    respond::respond,
    revision::{PoolKey, Revision},
};

/// A body of at most this many bytes is read whole before an instance is asked for: a slow client then holds no
/// instance.
const READ_AHEAD: u64 = 64 * 1024;

/// The apps of this host. One tenant's one app for now.
pub struct Platform {
    live: ArcSwap<Revision>,
    requests: AtomicU64,
}

impl Platform {
    /// A platform that serves `revision`.
    #[must_use]
    pub fn new(revision: Arc<Revision>) -> Self {
        Self { live: ArcSwap::new(revision), requests: AtomicU64::new(0) }
    }

    /// The revision that serves now.
    #[must_use]
    pub fn live(&self) -> Arc<Revision> {
        self.live.load_full()
    }

    /// Has `revision` serve from now on. A request in flight stays with the revision that it began with; the future
    /// ends when the last of them and the work behind it are done, and the old revision has run its shut-down hooks.
    /// Dropped before, the old revision serves its requests all the same; only its hooks do not run.
    pub fn swap(&self, revision: Arc<Revision>) -> impl Future<Output = ()> + Send + use<> {
        let old = self.live.swap(revision);
        let (pool, released) = (Arc::clone(old.pool()), old.released());
        drop(old);
        async move {
            released.await;
            pool.drained().await;
            pool.close().await;
        }
    }

    /// Waits until the work behind the last response is done.
    pub async fn drained(&self) {
        self.live().pool().drained().await;
    }

    /// Ends the app: instances run their shut-down hooks. To be called when no request is in flight.
    pub async fn close(&self) {
        self.live.load().pool().close().await;
    }

    async fn serve(&self, request: Request<RequestBody>, number: u64) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let revision = self.identify(&parts);
        let path = decode_path(parts.uri.path()).into_owned();
        let route = revision.route(parts.method.as_str(), &path);
        let key = &route.key;
        let answered = async {
            let mut call = receive(parts, body, number).await?;
            let way = answer(&revision, route, &call, &path);
            let onward = match way {
                Way::Answered(mut answer, dressing) => {
                    dressing.put_on(answer.status, &mut answer.headers, &mut answer.body).await;
                    return Ok(answer.response());
                }
                Way::Guest(onward) => onward,
            };
            let page = route.page.as_ref().map(|docs| docs.ask(&mut call));
            call.planned = onward.plan.and_then(|plan| planned(plan, &path, &call));
            let instance = checkout(&revision, key).await?;
            let mut reply = drive::invoke(instance, call, spans::request(&key.name, number)).await?;
            if reply.planned {
                onward.dressing.put_on(reply.status, &mut reply.headers, &mut reply.body).await;
            }
            Ok::<_, Refusal>(respond(Page::of(page, reply)))
        };
        answered.await.unwrap_or_else(|refusal| {
            refusal.log(number, &key.name);
            refusal.response()
        })
    }

    fn identify(&self, _request: &Parts) -> arc_swap::Guard<Arc<Revision>> {
        self.live.load()
    }
}

impl Gateway for Platform {
    async fn handle(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.serve(request, number).await
    }

    async fn upgrade(&self, request: Request<RequestBody>) -> Handshake {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let revision = self.live.load_full();
        let Some(websockets) = revision.websockets() else {
            return Handshake::Refused(self.serve(request, number).await);
        };
        let path = decode_path(request.uri().path()).into_owned();
        let (parts, _) = request.into_parts();
        websockets.open(&path, number, websocket_head(parts)).await
    }
}

async fn receive(parts: Parts, body: RequestBody, number: u64) -> Result<Call, Refusal> {
    let call = Call { number, head: head(parts), body: Bytes::new(), more: None, planned: None };
    if body.is_end_stream() {
        return Ok(call);
    }
    if body.size_hint().upper().is_some_and(|size| size <= READ_AHEAD) {
        let body = body.collect().await.map_err(|_| Refusal::Body)?.to_bytes();
        return Ok(Call { body, ..call });
    }
    Ok(Call { more: Some(body.map_err(Into::into).boxed_unsync()), ..call })
}

fn head(parts: Parts) -> RequestHead {
    let unknown = || ([0, 0, 0, 0], 0).into();
    let peer = parts.extensions.get::<Peer>();
    let (client, server) =
        (peer.map_or_else(unknown, |peer| peer.remote), peer.map_or_else(unknown, |peer| peer.local));
    RequestHead { scheme: peer.map_or("http", |peer| peer.scheme.as_str()), client, server, parts }
}

/// The head of an opening handshake, with the scheme that ASGI gives it.
fn websocket_head(parts: Parts) -> RequestHead {
    let head = head(parts);
    let scheme = if head.scheme == "https" { "wss" } else { "ws" };
    RequestHead { scheme, ..head }
}

/// The call of the route's plan, if this request is one for it: whole, and of the kind that the plan takes.
fn planned(plan: &Plan, path: &str, call: &Call) -> Option<PlannedCall> {
    let parts = &call.head.parts;
    let fits = call.more.is_none() && plan.takes(&parts.headers, call.body.is_empty());
    fits.then(|| plan.call(path, parts.uri.query().unwrap_or_default(), &parts.headers)).flatten()
}

async fn checkout(revision: &Revision, key: &PoolKey) -> Result<Checkout<WarmMaker>, Refusal> {
    let mut checkout = revision.pool().checkout(key.index).await?;
    if checkout.is_fresh()
        && let Some(instance) = checkout.instance()
    {
        instance.bind(Arc::clone(&key.name));
    }
    Ok(checkout)
}
