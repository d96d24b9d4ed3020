//! One request through the edge: admit → `Gateway::handle` → finish.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::body::EdgeBody;
use crate::compress::Coding;
use crate::finish::{add_server, finish};
use crate::h1::{is_replacement, valid_host};
use crate::h2;
use crate::problem::Refusal;
use crate::request_body::Fault;
use crate::state::{Connection, InFlight};
use crate::websocket::{Handshake, Opening, Upgrade, accept, opening};
use crate::{Gateway, Limits, RequestBody};

/// What the answer depends on, kept from the request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) head: bool,
    pub(crate) version: Version,
    /// The content coding the client likes best of ours.
    pub(crate) coding: Option<Coding>,
}

impl Asked {
    fn new(request: &Request<Incoming>) -> Self {
        Self {
            head: request.method() == Method::HEAD,
            version: request.version(),
            coding: request.headers().get(ACCEPT_ENCODING).and_then(|_| Coding::preferred(request.headers())),
        }
    }

    /// Whether the connection has to end with an answer that leaves input unread.
    fn close(&self) -> bool {
        self.version <= Version::HTTP_11
    }
}

/// The service hyper calls.
pub(crate) fn call<G: Gateway>(
    gateway: &Arc<G>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<EdgeBody>, Infallible>> + Send + use<G> {
    let gateway = Arc::clone(gateway);
    // Counted from here, not from the first poll: the connection is not idle in between.
    let in_flight = InFlight::new(connection);
    async move { Ok(answer(&*gateway, in_flight, request).await) }
}

async fn answer<G: Gateway>(
    gateway: &G,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Response<EdgeBody> {
    let asked = Asked::new(&request);
    match opening(&request) {
        Opening::None => {}
        Opening::Malformed(refusal) => return refuse(refusal, &asked, in_flight),
        Opening::Asked(key) => return upgrade(gateway, in_flight, request, asked, key).await,
    }
    let (request, fault) = match admit(&in_flight.connection, request) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(refusal, &asked, in_flight),
    };
    let response = h2::waiting(pin!(gateway.handle(request))).await;
    match fault.and_then(|fault| fault.get()?.refusal()) {
        Some(refusal) => refuse(refusal, &asked, in_flight),
        None => finish(response, &asked, in_flight),
    }
}

/// The answer to the opening handshake of a WebSocket.
async fn upgrade<G: Gateway>(
    gateway: &G,
    in_flight: InFlight,
    mut request: Request<Incoming>,
    asked: Asked,
    key: HeaderValue,
) -> Response<EdgeBody> {
    let upgraded = hyper::upgrade::on(&mut request);
    let request = match admit(&in_flight.connection, request) {
        Ok((request, _)) => request,
        Err(refusal) => return refuse(refusal, &asked, in_flight),
    };
    match gateway.upgrade(request).await {
        Handshake::Refused(response) => finish(response, &asked, in_flight),
        Handshake::Accepted { mut headers, wire } => {
            let connection = Arc::clone(&in_flight.connection);
            add_server(&mut headers, &connection.config);
            let answered = InFlight::new(&connection);
            *connection.upgrade.lock() = Some(Upgrade::new(upgraded, wire, in_flight));
            accept(key, headers).map(|body| EdgeBody::full(body, answered))
        }
    }
}

/// The edge's own answer.
fn refuse(refusal: Refusal, asked: &Asked, in_flight: InFlight) -> Response<EdgeBody> {
    let response = refusal.response(asked.close());
    let response = if asked.head { response.map(|_| bytes::Bytes::new()) } else { response };
    response.map(|body| EdgeBody::full(body, in_flight))
}

/// Makes of what hyper parsed what a gateway may see.
fn admit(
    connection: &Connection,
    request: Request<Incoming>,
) -> Result<(Request<RequestBody>, Option<Fault>), Refusal> {
    if is_replacement(request.method())
        && let Some(refusal) = connection.refusal()
    {
        return Err(refusal);
    }
    let limits = &connection.config.limits;
    if request.method() == Method::CONNECT {
        return Err(Refusal::NO_CONNECT);
    }
    if request.version() == Version::HTTP_2 {
        check_h2_head(&request, limits)?;
    }
    if request.body().size_hint().lower() > limits.body_bytes {
        return Err(Refusal::BODY_TOO_LARGE);
    }
    let (mut parts, incoming) = request.into_parts();
    // RFC 9112, section 3.2.2, and RFC 9113, section 8.3.1: a URI's authority stands over the Host header.
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BAD_HOST)?;
        parts.headers.insert(HOST, host);
    }
    parts.extensions.insert(connection.peer(&parts.headers));
    let (body, fault) = RequestBody::new(incoming, limits);
    Ok((Request::from_parts(parts, body), fault))
}

/// What the HTTP/1 guard checks on the bytes, and h2 does not check.
fn check_h2_head(request: &Request<Incoming>, limits: &Limits) -> Result<(), Refusal> {
    if request.headers().len() > usize::from(limits.header_count) {
        return Err(Refusal::HEAD_TOO_LARGE);
    }
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if target.len() > usize::from(limits.uri_bytes) {
        return Err(Refusal::URI_TOO_LONG);
    }
    if !target.is_ascii() {
        return Err(Refusal::BAD_TARGET);
    }
    if request.headers().contains_key(http::header::TRANSFER_ENCODING) {
        return Err(Refusal::BAD_CODING);
    }
    check_h2_host(request.headers(), request.uri().authority().map(http::uri::Authority::as_str))
}

/// RFC 9113, section 8.3.1: `:authority`, or a Host header in its place, or both if they are the same.
fn check_h2_host(headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next().map(HeaderValue::as_bytes), hosts.next());
    let agreed = match (authority.map(str::as_bytes), first) {
        (Some(authority), Some(host)) => host.eq_ignore_ascii_case(authority).then_some(authority),
        (Some(only), None) | (None, Some(only)) => Some(only),
        (None, None) => None,
    };
    match agreed {
        Some(host) if second.is_none() && valid_host(host) => Ok(()),
        _ => Err(Refusal::BAD_HOST),
    }
}
