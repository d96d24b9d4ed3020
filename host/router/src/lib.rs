//! Which route of a revision serves a method and a path: pure, no clock, no I/O.
//!
//! **Contract.** [`Router::find`] answers as Starlette's router would: routes are tried in the order of their
//! definition, and the first whose pattern matches the whole decoded path *and* which serves the method wins.
//! Where it is certain that none does, the answer is [`Outcome::Missing`]; where nothing is certain it is
//! [`Outcome::Unmatched`], and the host sends the request to the pool whose guest holds the whole app: there the
//! real Starlette answers 404, 405, a slash redirect, or serves it after all. So `Unmatched` is always right and
//! only ever slower.
//!
//! **What is left to the fallback.** A pattern the router cannot read exactly (a convertor it does not know, a
//! `Host` route) may match anything that begins with its literal prefix. A path it may match is `Unmatched`
//! unless a route *before* it matches for certain: neither that route nor one that it may shadow is ever
//! chosen wrongly. The same goes for a path with a line feed (Python's `$` and `.` treat it specially) and for
//! a search that grows too long, so that a hostile manifest cannot make routing slow.
//!
//! Patterns follow `starlette.routing.compile_path` and `starlette.convertors` (Starlette 1.x). An app that
//! re-registers a built-in convertor's name (`register_url_convertor("int", …)`) must have its routes given as
//! [`RouteKind::Opaque`].

mod linear;
mod method;
mod pattern;
mod router;
mod tree;

pub use router::{Outcome, RouteIndex, RouteKind, RoutePattern, Router, decode_path};
