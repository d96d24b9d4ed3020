//! The router: static paths by a hash map, segment patterns by a tree, the rest by a linear matcher.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::linear::Linear;
use crate::method::{Asked, MethodSet};
use crate::pattern::{Parsed, Piece, literal_prefix, parse};
use crate::tree::{Entry, Found, Tree};

/// The steps that all linear patterns of one router may have together; patterns beyond it are opaque.
const MAX_LINEAR_STEPS: usize = 4096;

/// A route's place in the list that the router was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteIndex(pub usize);

/// How a route uses its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteKind {
    /// The pattern is the whole path (Starlette's `Route`, FastAPI's `APIRoute`).
    Route,
    /// Everything below the pattern, for any method (Starlette's `Mount`). Trailing slashes of the pattern do
    /// not count, and the prefix without a slash after it does not match, as in Starlette.
    Mount,
    /// Never serves plain HTTP (`WebSocketRoute`): keeps its index, matches nothing.
    WebSocket,
    /// Not known to the router (`Host`, a route class of the app's own): may match any path and method.
    Opaque,
}

/// One route as the manifest lists it. `M` is whatever holds a method's name.
#[derive(Debug, Clone, Copy)]
pub struct RoutePattern<'a, M = String> {
    /// Starlette's path pattern: `/items/{item_id}`, `/files/{path:path}`.
    pub pattern: &'a str,
    /// Upper-case method names; empty means any. `HEAD` is served only where it is listed.
    pub methods: &'a [M],
    /// How the pattern is used.
    pub kind: RouteKind,
}

/// What the router knows about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This route serves it, for certain.
    Match {
        /// Which one.
        route: RouteIndex,
    },
    /// None does, for certain: no pattern matches, or only those of other methods.
    Missing,
    /// Let the guest that holds the whole app decide: not certain.
    Unmatched,
}

/// The routes of one revision, ready to be searched. Immutable; share it by reference.
#[derive(Debug)]
pub struct Router {
    statics: HashMap<Box<str>, Vec<Entry>>,
    tree: Tree,
    /// In definition order.
    ordered: Vec<Ordered>,
    opaque: Vec<RouteIndex>,
    linear_steps: usize,
}

/// A pattern that is tried one by one.
#[derive(Debug)]
struct Ordered {
    index: usize,
    methods: MethodSet,
    prefix: Box<str>,
    /// None for an opaque pattern.
    exact: Option<Linear>,
}

impl Router {
    /// Makes a router of routes in the order in which the app tries them. Never fails: what cannot be read is
    /// left to the fallback, see [`Router::opaque`].
    pub fn new<'a, M: AsRef<str> + 'a>(routes: impl IntoIterator<Item = RoutePattern<'a, M>>) -> Self {
        let mut router = Self {
            statics: HashMap::new(),
            tree: Tree::new(),
            ordered: Vec::new(),
            opaque: Vec::new(),
            linear_steps: 0,
        };
        for (index, route) in routes.into_iter().enumerate() {
            let methods = || MethodSet::new(route.methods.iter().map(AsRef::as_ref));
            match route.kind {
                RouteKind::Route => router.add(index, route.pattern, methods()),
                RouteKind::Mount => {
                    let pattern = format!("{}/{{path:path}}", route.pattern.trim_end_matches('/'));
                    router.add(index, &pattern, MethodSet::any());
                }
                RouteKind::WebSocket => {}
                RouteKind::Opaque => router.add_opaque(index, String::new(), MethodSet::any()),
            }
        }
        router
    }

    /// Which route serves a method and a **decoded** path (see [`decode_path`]).
    pub fn find(&self, method: &str, path: &str) -> Outcome {
        if path.contains('\n') {
            return Outcome::Unmatched;
        }
        let asked = Asked::new(method);
        let mut best = self.find_static(asked, path);
        match self.tree.find(asked, path, best) {
            Found::Earliest(found) => best = found.unwrap_or(best),
            Found::TooLong => return Outcome::Unmatched,
        }
        for candidate in self.ordered.iter().take_while(|candidate| candidate.index < best) {
            if candidate.may_match(asked, path) {
                return match candidate.exact {
                    Some(_) => Outcome::Match { route: RouteIndex(candidate.index) },
                    None => Outcome::Unmatched,
                };
            }
        }
        if best == usize::MAX { Outcome::Missing } else { Outcome::Match { route: RouteIndex(best) } }
    }

    /// The routes whose patterns the router cannot read exactly, in definition order: their requests, and those
    /// of later routes that they may shadow, go to the fallback. For a warning to the app's author.
    pub fn opaque(&self) -> &[RouteIndex] {
        &self.opaque
    }

    fn find_static(&self, asked: Asked<'_>, path: &str) -> usize {
        let entries = self.statics.get(path).map(Vec::as_slice).unwrap_or_default();
        entries.iter().find(|(_, methods)| methods.contains(asked)).map_or(usize::MAX, |(index, _)| *index)
    }

    fn add(&mut self, index: usize, pattern: &str, methods: MethodSet) {
        match parse(pattern) {
            Parsed::Opaque { prefix } => self.add_opaque(index, prefix, methods),
            Parsed::Exact(pieces) => match pieces.as_slice() {
                [] => self.add_static(index, "", methods),
                [Piece::Literal(text)] => self.add_static(index, text, methods),
                pieces => {
                    if let Err(methods) = self.tree.insert(pieces, index, methods) {
                        self.add_linear(index, pieces, methods);
                    }
                }
            },
        }
    }

    fn add_static(&mut self, index: usize, path: &str, methods: MethodSet) {
        self.statics.entry(path.into()).or_default().push((index, methods));
    }

    fn add_linear(&mut self, index: usize, pieces: &[Piece], methods: MethodSet) {
        let prefix = literal_prefix(pieces).to_owned();
        let room = MAX_LINEAR_STEPS - self.linear_steps;
        match Linear::new(pieces).filter(|linear| linear.len() <= room) {
            Some(linear) => {
                self.linear_steps += linear.len();
                self.ordered.push(Ordered { index, methods, prefix: prefix.into(), exact: Some(linear) });
            }
            None => self.add_opaque(index, prefix, methods),
        }
    }

    fn add_opaque(&mut self, index: usize, prefix: String, methods: MethodSet) {
        self.opaque.push(RouteIndex(index));
        self.ordered.push(Ordered { index, methods, prefix: prefix.into(), exact: None });
    }
}

impl Ordered {
    fn may_match(&self, asked: Asked<'_>, path: &str) -> bool {
        self.methods.contains(asked)
            && path.starts_with(&*self.prefix)
            && self.exact.as_ref().is_none_or(|exact| exact.matches(path))
    }
}

/// A request target's path, percent-decoded as ASGI servers do it (Python's `urllib.parse.unquote`): `%2F`
/// becomes a slash, a `%` without two hexadecimal digits stays, bytes that are not UTF-8 become U+FFFD.
pub fn decode_path(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}
