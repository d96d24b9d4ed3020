//! The tree of patterns whose every segment is one literal or one parameter, `{p:path}` only as the last.
//!
//! That is nearly every pattern people write. A node stands at one depth, so a path meets it at most once, and
//! a node knows the earliest route below it, so branches that can no longer win are not entered.

use crate::method::{Asked, MethodSet};
use crate::pattern::{Param, Piece};

/// A route's place in the definition order with the methods it serves.
pub(crate) type Entry = (usize, MethodSet);

/// The nodes one search may visit before it gives up.
const MAX_VISITS: usize = 2048;

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(Box<str>),
    Param(Param),
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by text.
    literals: Vec<(Box<str>, usize)>,
    params: Vec<(Param, usize)>,
    /// Routes that end here, in definition order.
    ends: Vec<Entry>,
    /// Routes that take everything from here on (`{p:path}`), in definition order.
    tails: Vec<Entry>,
    /// The earliest route in this node and below.
    earliest: usize,
}

/// The tree; node 0 is its root.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

/// What a search found.
pub(crate) enum Found {
    /// The earliest route before the bound, if any.
    Earliest(Option<usize>),
    /// The search was given up.
    TooLong,
}

struct Search<'a> {
    asked: Asked<'a>,
    best: usize,
    visits: usize,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node { earliest: usize::MAX, ..Node::default() }] }
    }

    /// Puts a route into the tree; gives the methods back where its pattern does not fit. Routes come in
    /// definition order.
    pub(crate) fn insert(
        &mut self,
        pieces: &[Piece],
        index: usize,
        methods: MethodSet,
    ) -> Result<(), MethodSet> {
        let Some((segments, tail)) = segments(pieces) else { return Err(methods) };
        let mut at = 0;
        for segment in segments {
            self.mark(at, index);
            at = self.child(at, segment);
        }
        self.mark(at, index);
        if let Some(node) = self.nodes.get_mut(at) {
            let entries = if tail { &mut node.tails } else { &mut node.ends };
            entries.push((index, methods));
        }
        Ok(())
    }

    /// The earliest route before `bound` that matches `path` and serves the method.
    pub(crate) fn find(&self, asked: Asked<'_>, path: &str, bound: usize) -> Found {
        let Some(rest) = path.strip_prefix('/') else { return Found::Earliest(None) };
        let mut search = Search { asked, best: bound, visits: 0 };
        self.visit(0, Some(rest), &mut search);
        if search.visits > MAX_VISITS {
            return Found::TooLong;
        }
        Found::Earliest((search.best < bound).then_some(search.best))
    }

    /// `rest` is what follows the slash after the segments so far; none when the path has ended.
    fn visit(&self, at: usize, rest: Option<&str>, search: &mut Search<'_>) {
        let Some(node) = self.nodes.get(at) else { return };
        search.visits += 1;
        if node.earliest >= search.best || search.visits > MAX_VISITS {
            return;
        }
        let Some(rest) = rest else { return search.offer(&node.ends) };
        search.offer(&node.tails);
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        if let Ok(found) = node.literals.binary_search_by(|(text, _)| (**text).cmp(segment))
            && let Some((_, child)) = node.literals.get(found)
        {
            self.visit(*child, rest, search);
        }
        for (param, child) in &node.params {
            if param.accepts(segment) {
                self.visit(*child, rest, search);
            }
        }
    }

    fn mark(&mut self, at: usize, index: usize) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.earliest = node.earliest.min(index);
        }
    }

    /// The child of a node for a segment, made where there is none.
    fn child(&mut self, at: usize, segment: Segment) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let found = match segment {
            Segment::Literal(text) => match node.literals.binary_search_by(|(known, _)| known.cmp(&text)) {
                Ok(found) => node.literals.get(found).map(|(_, child)| *child),
                Err(place) => {
                    node.literals.insert(place, (text, fresh));
                    None
                }
            },
            Segment::Param(param) => {
                let found = node.params.iter().find(|(known, _)| *known == param).map(|(_, child)| *child);
                if found.is_none() {
                    node.params.push((param, fresh));
                }
                found
            }
        };
        found.unwrap_or_else(|| {
            self.nodes.push(Node { earliest: usize::MAX, ..Node::default() });
            fresh
        })
    }
}

impl Search<'_> {
    fn offer(&mut self, entries: &[Entry]) {
        let serves = entries.iter().take_while(|(index, _)| *index < self.best);
        if let Some((index, _)) = serves.into_iter().find(|(_, methods)| methods.contains(self.asked)) {
            self.best = *index;
        }
    }
}

/// The pattern as segments, and whether a `{p:path}` follows them. None where a segment is neither one literal
/// nor one parameter, or the pattern does not begin with a slash.
fn segments(pieces: &[Piece]) -> Option<(Vec<Segment>, bool)> {
    let mut segments = Vec::new();
    // The segment being read: none after a parameter, which only a slash or the end may follow.
    let mut open: Option<String> = None;
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => {
                let mut parts = text.split('/');
                let head = parts.next().unwrap_or_default();
                // Everything before the first slash would stick to what came before: the start or a parameter.
                if !head.is_empty() || !text.starts_with('/') {
                    return None;
                }
                for part in parts {
                    if let Some(literal) = open.replace(part.to_owned()) {
                        segments.push(Segment::Literal(literal.into()));
                    }
                }
            }
            Piece::Param(param) => {
                if open.take().is_none_or(|literal| !literal.is_empty()) {
                    return None;
                }
                if *param == Param::Path {
                    return (index + 1 == pieces.len()).then_some((segments, true));
                }
                segments.push(Segment::Param(*param));
            }
        }
    }
    if let Some(literal) = open {
        segments.push(Segment::Literal(literal.into()));
    }
    (!pieces.is_empty()).then_some((segments, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Parsed, parse};

    fn fits(pattern: &str) -> Option<(usize, bool)> {
        let Parsed::Exact(pieces) = parse(pattern) else { panic!("{pattern} is opaque") };
        segments(&pieces).map(|(segments, tail)| (segments.len(), tail))
    }

    #[test]
    fn tells_which_patterns_fit() {
        assert_eq!(fits("/"), Some((1, false)));
        assert_eq!(fits("/{a}"), Some((1, false)));
        assert_eq!(fits("/{a}/"), Some((2, false)));
        assert_eq!(fits("//{a}/b/{c:int}"), Some((4, false)));
        assert_eq!(fits("/{p:path}"), Some((0, true)));
        assert_eq!(fits("/f/{p:path}"), Some((1, true)));
        for pattern in ["", "a", "{a}", "/a{b}", "/{a}b", "/{a}{b}", "/{p:path}/x", "/f{p:path}"] {
            assert_eq!(fits(pattern), None, "{pattern}");
        }
    }
}
