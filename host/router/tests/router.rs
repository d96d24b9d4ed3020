//! The router against a naive one that tries Starlette's own regular expressions in order.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy only exempts the test functions themselves")]

use fasterapi_router::{Outcome, RouteIndex, RouteKind, RoutePattern, Router, decode_path};
use proptest::prelude::*;
use regex::{Captures, Regex};

type Route = (&'static str, &'static [&'static str], RouteKind);

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";

fn router(routes: &[Route]) -> Router {
    Router::new(routes.iter().map(|(pattern, methods, kind)| RoutePattern { pattern, methods, kind: *kind }))
}

fn get_routes(patterns: &[&'static str]) -> Router {
    router(&patterns.iter().map(|pattern| (*pattern, GET, RouteKind::Route)).collect::<Vec<_>>())
}

fn found(outcome: Outcome) -> Option<usize> {
    match outcome {
        Outcome::Match { route: RouteIndex(index) } => Some(index),
        Outcome::Missing | Outcome::Unmatched => None,
    }
}

#[track_caller]
fn check(router: &Router, cases: &[(&str, Option<usize>)]) {
    for (path, expected) in cases {
        assert_eq!(found(router.find("GET", path)), *expected, "{path}");
    }
}

#[test]
fn definition_order_decides() {
    check(
        &get_routes(&["/users/me", "/users/{id}", "/{rest:path}"]),
        &[("/users/me", Some(0)), ("/users/you", Some(1)), ("/users/a/b", Some(2)), ("/", Some(2))],
    );
    check(&get_routes(&["/users/{id}", "/users/me"]), &[("/users/me", Some(0))]);
    check(&get_routes(&["/{rest:path}", "/users/me", "/users/{id}"]), &[("/users/me", Some(0))]);
    check(&get_routes(&["/{a}-{b}", "/x-y", "/{c}"]), &[("/x-y", Some(0)), ("/xy", Some(2))]);
}

#[test]
fn convertors_match_as_starlettes() {
    let router = get_routes(&["/i/{n:int}", "/f/{x:float}", "/u/{u:uuid}", "/s/{s}", "/p/{p:path}"]);
    let bare = UUID.replace('-', "");
    check(
        &router,
        &[
            ("/i/007", Some(0)),
            ("/i/-1", None),
            ("/i/1.0", None),
            ("/i/٣", None),
            ("/f/1", Some(1)),
            ("/f/1.25", Some(1)),
            ("/f/1.", None),
            ("/f/.5", None),
            ("/f/1.2.3", None),
            (&format!("/u/{UUID}"), Some(2)),
            (&format!("/u/{bare}"), Some(2)),
            (&format!("/u/{}", UUID.to_uppercase()), Some(2)),
            ("/u/123", None),
            (&format!("/u/{bare}-"), None),
            ("/s/é", Some(3)),
            ("/s/", None),
            ("/s/a/b", None),
            ("/p/", Some(4)),
            ("/p", None),
            ("/p/a//b/", Some(4)),
        ],
    );
}

#[test]
fn slashes_count() {
    check(
        &get_routes(&["/a", "/a/", "//a", "/{x}/"]),
        &[
            ("/a", Some(0)),
            ("/a/", Some(1)),
            ("//a", Some(2)),
            ("/b/", Some(3)),
            ("/b", None),
            ("//", None),
            ("", None),
            ("*", None),
            ("a", None),
        ],
    );
}

#[test]
fn a_method_that_no_route_serves_is_unmatched() {
    let router = router(&[
        ("/a", GET, RouteKind::Route),
        ("/a", POST, RouteKind::Route),
        ("/{x}", &["GET", "HEAD", "PROPFIND"], RouteKind::Route),
        ("/any", &[], RouteKind::Route),
    ]);
    for (method, path, expected) in [
        ("GET", "/a", Some(0)),
        ("POST", "/a", Some(1)),
        ("HEAD", "/a", Some(2)),
        ("PROPFIND", "/a", Some(2)),
        ("propfind", "/a", None),
        ("PUT", "/a", None),
        ("PUT", "/any", Some(3)),
        ("BREW", "/any", Some(3)),
        ("GET", "/any", Some(2)),
    ] {
        assert_eq!(found(router.find(method, path)), expected, "{method} {path}");
    }
}

#[test]
fn mounts_take_everything_below_them() {
    let router = router(&[
        ("/static/x", POST, RouteKind::Route),
        ("/static/", &[], RouteKind::Mount),
        ("/static/x", GET, RouteKind::Route),
        ("/t/{tenant}", &[], RouteKind::Mount),
        ("/ws", &[], RouteKind::WebSocket),
        ("", &[], RouteKind::Mount),
    ]);
    for (method, path, expected) in [
        ("POST", "/static/x", Some(0)),
        ("GET", "/static/x", Some(1)),
        ("BREW", "/static/", Some(1)),
        ("GET", "/static", Some(5)),
        ("GET", "/t/a/b/c", Some(3)),
        ("GET", "/t/a", Some(5)),
        ("GET", "/ws", Some(5)),
    ] {
        assert_eq!(found(router.find(method, path)), expected, "{method} {path}");
    }
}

#[test]
fn what_an_opaque_pattern_may_shadow_goes_to_the_fallback() {
    let routes = [
        ("/x/first", GET, RouteKind::Route),
        ("/x/{d:date}", GET, RouteKind::Route),
        ("/x/{s}", GET, RouteKind::Route),
        ("/y", GET, RouteKind::Route),
        ("host.example", &[][..], RouteKind::Opaque),
        ("/z", GET, RouteKind::Route),
        ("/x/{s}", POST, RouteKind::Route),
    ];
    let router = router(&routes);
    assert_eq!(router.opaque(), [RouteIndex(1), RouteIndex(4)]);
    check(&router, &[("/x/first", Some(0)), ("/x/b", None), ("/y", Some(3)), ("/z", None)]);
    assert_eq!(found(router.find("POST", "/x/b")), None);
}

#[test]
fn a_line_feed_goes_to_the_fallback() {
    check(&get_routes(&["/a", "/{x}"]), &[("/a\n", None), ("/b\nc", None), ("/a\r", Some(1))]);
}

#[test]
fn paths_decode_as_in_python() {
    for (raw, decoded) in [("/a%2Fb", "/a/b"), ("/%zz%4", "/%zz%4"), ("/%C3%A9", "/é"), ("/%ff", "/\u{fffd}")]
    {
        assert_eq!(decode_path(raw), decoded);
    }
}

#[test]
fn a_hostile_table_cannot_make_a_search_long() {
    let mut patterns = vec![String::new()];
    for _ in 0..13 {
        patterns = patterns
            .iter()
            .flat_map(|head| {
                [format!("{head}/{{p{}}}", head.len()), format!("{head}/{{p{}:int}}", head.len())]
            })
            .collect();
    }
    let last = ("/{rest:path}", GET);
    let routes = patterns.iter().map(|pattern| (pattern.as_str(), POST)).chain([last]);
    let router = Router::new(routes.map(|(pattern, methods)| RoutePattern {
        pattern,
        methods,
        kind: RouteKind::Route,
    }));
    assert_eq!(found(router.find("GET", &"/1".repeat(13))), None, "given up: the fallback decides");
    assert_eq!(found(router.find("GET", &"/a".repeat(13))), Some(patterns.len()));
    assert_eq!(found(router.find("POST", &"/1".repeat(13))), Some(0));
}

#[test]
fn patterns_beyond_the_budget_are_opaque() {
    let long = format!("/l/{{a}}-{}", "x".repeat(600));
    let many: Vec<String> = (0..50).map(|index| format!("/m{index:02}/{{a}}-{}", "x".repeat(200))).collect();
    let patterns: Vec<&str> = std::iter::once(long.as_str()).chain(many.iter().map(String::as_str)).collect();
    let router = Router::new(patterns.iter().map(|pattern| RoutePattern {
        pattern,
        methods: GET,
        kind: RouteKind::Route,
    }));
    assert_eq!(router.opaque().first(), Some(&RouteIndex(0)));
    assert!(router.opaque().len() > 1 && router.opaque().len() < 50, "{:?}", router.opaque());
    assert_eq!(found(router.find("GET", &format!("/m00/a-{}", "x".repeat(200)))), Some(1));
    assert_eq!(found(router.find("GET", &format!("/m49/a-{}", "x".repeat(200)))), None);
}

/// What an unknown convertor might stand for.
const UNKNOWN: [&str; 4] = [r"[^\s\S]", ".*", "[0-9]+", "[^/]+"];

fn naive(
    routes: &[(String, Vec<&'static str>, RouteKind)],
    unknown: &str,
    method: &str,
    path: &str,
) -> Option<usize> {
    routes.iter().position(|(pattern, methods, kind)| {
        let (pattern, any) = match kind {
            RouteKind::Mount => (format!("{}/{{path:path}}", pattern.trim_end_matches('/')), true),
            RouteKind::Route => (pattern.clone(), methods.is_empty()),
            _ => return false,
        };
        (any || methods.contains(&method)) && starlette_regex(&pattern, unknown).is_match(path)
    })
}

fn starlette_regex(pattern: &str, unknown: &str) -> Regex {
    let placeholder = Regex::new(r"\{[a-zA-Z_][a-zA-Z0-9_]*(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}").unwrap();
    let mut expression = String::from(r"\A");
    let mut at = 0;
    for found in placeholder.captures_iter(pattern) {
        let whole = found.get(0).unwrap();
        expression += &regex::escape(&pattern[at..whole.start()]);
        expression += &format!("(?:{})", convertor(&found, unknown));
        at = whole.end();
    }
    expression += &regex::escape(&pattern[at..]);
    Regex::new(&(expression + r"\z")).unwrap()
}

fn convertor<'a>(found: &Captures<'_>, unknown: &'a str) -> &'a str {
    match found.get(1).map_or("str", |name| name.as_str()) {
        "str" => "[^/]+",
        "path" => ".*",
        "int" => "[0-9]+",
        "float" => r"[0-9]+(\.[0-9]+)?",
        "uuid" => "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
        _ => unknown,
    }
}

/// Patterns from pieces that collide often. Parameter names are made unique afterwards.
fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec!["/", "/a", "/b", "/1", "/é"]),
        4 => prop::sample::select(vec!["/{#}", "/{#:int}", "/{#:float}", "/{#:uuid}", "/{#:path}"]),
        2 => prop::sample::select(vec!["{#}", "-{#}", "a", "-", ".{#:int}", "{#:float}", "{#:path}", "{#:uuid}", "{"]),
        1 => prop::sample::select(vec!["/{#:date}"]),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| {
        let named = pieces.iter().enumerate().map(|(index, piece)| piece.replace('#', &format!("p{index}")));
        named.collect()
    })
}

fn route() -> impl Strategy<Value = (String, Vec<&'static str>, RouteKind)> {
    let methods =
        prop::sample::select(vec![vec![], vec!["GET"], vec!["GET", "HEAD"], vec!["POST"], vec!["BREW"]]);
    let kind = prop_oneof![
        8 => Just(RouteKind::Route), 1 => Just(RouteKind::Mount), 1 => Just(RouteKind::WebSocket)
    ];
    (pattern(), methods, kind)
}

fn path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "/",
        "/a",
        "/b",
        "/1",
        "/é",
        "/12",
        "/1.5",
        "a",
        "-",
        "x-y",
        ".1",
        "1",
        "{",
        "/123e4567-e89b-12d3-a456-426614174000",
        "123e4567e89b12d3a456426614174000",
        "/x",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_router(
        routes in prop::collection::vec(route(), 0..8),
        requests in prop::collection::vec((prop::sample::select(vec!["GET", "HEAD", "POST", "BREW"]), path()), 1..12),
    ) {
        let router = Router::new(routes.iter().map(|(pattern, methods, kind)| RoutePattern {
            pattern, methods, kind: *kind,
        }));
        for (method, path) in &requests {
            let answers = UNKNOWN.map(|unknown| naive(&routes, unknown, method, path));
            match found(router.find(method, path)) {
                Some(index) => prop_assert_eq!(answers, [Some(index); 4], "{} {}", method, path),
                None if router.find(method, path) == Outcome::Missing => {
                    prop_assert_eq!(answers, [None; 4], "{} {}", method, path);
                }
                None => prop_assert!(!router.opaque().is_empty(), "{} {}", method, path),
            }
        }
    }
}

#[test]
fn a_character_of_several_bytes_is_one() {
    let router =
        Router::new([RoutePattern { pattern: "/{a}{b}", methods: &[] as &[&str], kind: RouteKind::Route }]);
    assert_eq!(router.find("GET", "/é"), Outcome::Missing);
    assert!(matches!(router.find("GET", "/éa"), Outcome::Match { .. }));
}

#[test]
fn what_is_not_certain_is_not_missing() {
    let router = get_routes(&["/a/{x}", "/d/{x:date}"]);
    for (path, expected) in [
        ("/b", Outcome::Missing),
        ("/a/", Outcome::Missing),
        ("/d", Outcome::Missing),
        ("/d/", Outcome::Unmatched),
        ("/d/x", Outcome::Unmatched),
        ("/b\n", Outcome::Unmatched),
    ] {
        assert_eq!(router.find("GET", path), expected, "{path:?}");
    }
    assert_eq!(router.find("POST", "/a/1"), Outcome::Missing, "another method");
}
