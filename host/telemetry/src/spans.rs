//! The spans of the work that the host does for an app: a record within one belongs to its route and its request.

use fasterapi_core::Origin;
use tracing::{Span, field};

/// The work for one request of a route.
#[must_use]
pub fn request(route: &str, request: u64) -> Span {
    tracing::info_span!("request", route, request, blame = field::Empty, sqlstate = field::Empty)
}

/// The work for those WebSockets of a route that share an instance: which of them it is for, nobody can say.
#[must_use]
pub fn websockets(route: &str) -> Span {
    tracing::info_span!("websockets", route, blame = field::Empty, sqlstate = field::Empty)
}

/// Notes in the span of the work under way that a part of it failed, and whose doing that is.
pub fn blame(origin: Origin, sqlstate: Option<&str>) {
    let span = Span::current();
    span.record("blame", field::display(origin));
    if let Some(sqlstate) = sqlstate {
        span.record("sqlstate", sqlstate);
    }
}
