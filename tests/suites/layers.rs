//! Starlette's middleware, done by the host in the app's place: over a grid of requests, equal to Starlette's own.

use std::io::Read;

use fasterapi_host::LaneChoice;
use fasterapi_tests::{
    Guest, Host,
    compare::compare_with,
    http::{Ask, ask, get, post},
    uvicorn::Uvicorn,
};
use flate2::read::GzDecoder;

use super::answers::busy;

const TARGETS: [&str; 17] = [
    "/",
    "/items/1",
    "/items/0",
    "/items/x",
    "/items",
    "/vary",
    "/teapot",
    "/waits",
    "/options",
    "/busy/0",
    "/nowhere",
    "/slash",
    "/slash?a=b",
    "/openapi.json",
    "/sub/inner",
    "/sub/nowhere",
    "/tree/a%20b%2F%25",
];

const ORIGINS: [Option<&str>; 7] = [
    None,
    Some("https://a.example"),
    Some("https://b.example:8443"),
    Some("https://b.example"),
    Some("HTTPS://a.example"),
    Some("null"),
    Some("caf\u{e9}"),
];

const HOSTS: [&str; 12] = [
    "127.0.0.1",
    "127.0.0.1:80",
    "a.example.org",
    "A.Example.ORG:443",
    "example.org",
    "a.b.example.org:8000",
    "other.example",
    "www.other.example",
    "evil",
    "[::1]",
    "a.example.org.",
    "a_b.example.org",
];

/// A preflight's method, headers and whether it asks for a private network.
const PREFLIGHTS: [(&str, Option<&str>, bool); 9] = [
    ("GET", None, false),
    ("PUT", Some("x-one, X-TWO"), false),
    ("PUT", Some("X-One,x-three"), false),
    ("DELETE", Some("content-type"), false),
    ("get", None, false),
    ("BREW", Some("x-three"), true),
    ("POST", Some(""), false),
    ("POST", Some("accept , x-one"), true),
    ("QUERY", Some("a"), false),
];

fn with_origin(ask: Ask, origin: Option<&str>) -> Ask {
    match origin {
        Some(origin) => ask.header("origin", origin),
        None => ask,
    }
}

fn preflight(
    target: &str,
    origin: Option<&str>,
    (method, headers, private): (&str, Option<&str>, bool),
) -> Ask {
    let mut ask = with_origin(ask("OPTIONS", target), origin).header("access-control-request-method", method);
    if let Some(headers) = headers {
        ask = ask.header("access-control-request-headers", headers);
    }
    if private { ask.header("access-control-request-private-network", "true") } else { ask }
}

fn grid() -> Vec<Ask> {
    let mut asks = Vec::new();
    for origin in ORIGINS {
        for target in TARGETS {
            asks.extend(["GET", "HEAD", "OPTIONS"].map(|method| with_origin(ask(method, target), origin)));
        }
        asks.push(with_origin(post("/items").json(r#"{"name": "Widget"}"#), origin));
        asks.push(with_origin(post("/items").json("{}"), origin));
        asks.push(with_origin(post("/items").body("application/json", "x"), origin));
        for target in ["/", "/items/1", "/nowhere"] {
            asks.extend(PREFLIGHTS.map(|asked| preflight(target, origin, asked)));
        }
    }
    asks.push(preflight("/", Some("https://a.example"), PREFLIGHTS[1]).header("origin", "https://evil"));
    asks.push(get("/").header("origin", "https://evil").header("origin", "https://a.example"));
    for host in HOSTS {
        let targets = ["/", "/nowhere", "/slash?a=b&c", "/items/0", "/fails", "/tree/a%20b%2F%25", "//x"];
        asks.extend(
            targets.map(|target| get(target).header("host", host).header("origin", "https://a.example")),
        );
        asks.push(preflight("/", Some("https://a.example"), PREFLIGHTS[0]).header("host", host));
    }
    asks
}

async fn compare_guest(guest: Guest) {
    compare_guest_by(guest, &grid()).await;
}

async fn compare_guest_by(guest: Guest, asks: &[Ask]) {
    let uvicorn = Uvicorn::start(guest).await;
    let host = Host::start(guest, |_| {}).await;
    compare_with(&uvicorn, &host, asks).await;
}

/// What compression looks at: sizes around those that are named somewhere, kinds, statuses.
const BODIES: [&str; 19] = [
    "/",
    "/nowhere",
    "/slash",
    "/openapi.json",
    "/vary",
    "/teapot",
    "/refused",
    "/waits",
    "/fails",
    "/long/0",
    "/long/47",
    "/long/48",
    "/long/2000",
    "/long/25000",
    "/typed/206/text/plain",
    "/typed/200/text/csv",
    "/typed/200/image/png",
    "/encoded",
    "/stream",
];

const ACCEPTED: [Option<&str>; 5] =
    [None, Some("gzip, deflate, br, zstd"), Some("br"), Some("x-gzip;q=0"), Some("GZIP")];

fn accepting(ask: Ask, accepted: Option<&str>) -> Ask {
    match accepted {
        Some(accepted) => ask.header("accept-encoding", accepted),
        None => ask,
    }
}

fn zipped_grid() -> Vec<Ask> {
    let mut asks = Vec::new();
    for accepted in ACCEPTED {
        for origin in [None, Some("http://x.b.example:80")] {
            let asked = |ask| accepting(with_origin(ask, origin), accepted);
            asks.extend(BODIES.iter().flat_map(|target| [asked(get(target)), asked(ask("HEAD", target))]));
            asks.push(asked(get("/").header("host", "evil")));
            asks.push(asked(get("/").header("host", "www.a.example")));
            asks.push(asked(post("/items").body("application/json", "x")));
            asks.push(asked(post("/items").json("{}")));
            asks.extend(PREFLIGHTS.map(|wanted| accepting(preflight("/long/48", origin, wanted), accepted)));
        }
    }
    let origins = [
        "null",
        "https://B.example",
        "http://b.example:1",
        "https://b.example:65536",
        "https://a-b.b.example",
        "b.example",
        "",
        "caf\u{e9}",
    ];
    asks.extend(origins.map(|origin| get("/").header("origin", origin)));
    let lines = get("/long/48").header("accept-encoding", "br").header("accept-encoding", "gzip");
    asks.push(lines);
    asks
}

#[tokio::test]
async fn answers_are_compressed() {
    compare_guest_by(Guest::ZIPPED, &zipped_grid()).await;
}

#[tokio::test]
async fn answers_are_compressed_before_origins_and_hosts_are_judged() {
    compare_guest_by(Guest::ZIPPED_WITHIN, &zipped_grid()).await;
}

#[tokio::test]
async fn answers_are_compressed_after_origins_and_hosts_are_judged() {
    compare_guest_by(Guest::ZIPPED_AROUND, &zipped_grid()).await;
}

/// The host's zlib and the guest's give the same bytes, at each level that the guests ask for.
#[tokio::test]
async fn what_the_host_compresses_is_what_the_app_would() {
    for guest in [Guest::ZIPPED, Guest::ZIPPED_WITHIN, Guest::ZIPPED_AROUND] {
        let host = Host::start(guest, |_| {}).await;
        let app = Host::start(guest, |config| config.lane = LaneChoice::Asgi).await;
        for target in ["/long/48", "/long/2000", "/long/15000", "/refused", "/openapi.json"] {
            let ask = || get(target).header("accept-encoding", "gzip");
            let found = host.client().send(ask()).await;
            let expected = app.client().send(ask()).await;
            assert_eq!(expected.header("content-encoding"), Some("gzip"), "{target}");
            assert_eq!(found.header("content-encoding"), Some("gzip"), "{target}");
            assert_eq!(found.body, expected.body, "{target}");
        }
    }
}

/// The instance is busy, so what is answered was answered by the host: with the layers outside of the one that
/// answers, and no other.
#[tokio::test]
async fn what_the_host_answers_is_compressed_where_it_passes_that_layer() {
    for (guest, is_stopped_within) in [(Guest::ZIPPED_AROUND, true), (Guest::ZIPPED_WITHIN, false)] {
        let (host, busy) = busy(guest).await;
        let send = |ask: Ask| async { host.client().send(ask.header("accept-encoding", "gzip")).await };
        let zipped = [get("/nowhere"), get("/openapi.json")];
        let stopped =
            [get("/").header("host", "evil"), preflight("/", Some("https://b.example"), PREFLIGHTS[5])];
        for ask in zipped {
            let answer = send(ask).await;
            let mut text = String::new();
            GzDecoder::new(answer.body.as_ref()).read_to_string(&mut text).unwrap();
            assert!(text.starts_with('{'), "{text}");
            assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
        }
        for ask in stopped {
            let answer = send(ask).await.expect(400);
            assert_eq!(answer.header("content-encoding") == Some("gzip"), is_stopped_within);
        }
        send(get("/").header("origin", "caf\u{e9}")).await.expect(503);
        busy.leave();
    }
}

#[tokio::test]
async fn trusted_hosts_and_cors_for_some_origins() {
    compare_guest(Guest::EXPLICIT_CORS).await;
}

#[tokio::test]
async fn cors_for_anyone_with_credentials() {
    compare_guest(Guest::CORS_FOR_ANYONE).await;
}

#[tokio::test]
async fn cors_for_anyone() {
    compare_guest(Guest::PUBLIC_CORS).await;
}

#[tokio::test]
async fn all_are_sent_to_https() {
    compare_guest(Guest::HTTPS_ONLY).await;
}

/// While the only instance is busy, what is answered all the same was answered by the host.
#[tokio::test]
async fn what_a_layer_stops_needs_no_instance() {
    let (host, busy) = busy(Guest::EXPLICIT_CORS).await;
    let send = |ask| async { host.client().send(ask).await };
    let origin = Some("https://a.example");
    send(preflight("/", origin, PREFLIGHTS[0])).await.expect(200);
    send(preflight("/", origin, PREFLIGHTS[3])).await.expect(400);
    send(get("/").header("host", "evil")).await.expect(400);
    let answer = send(with_origin(get("/nowhere"), origin)).await.expect(404);
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    send(get("/").header("host", "other.example")).await.expect(503);
    send(get("/")).await.expect(503);
    busy.leave();
}

/// The app changes the list that it gave to the middleware: from then on it answers itself, in the instances that did.
#[tokio::test]
async fn options_that_the_app_changes_count_at_once() {
    let host = Host::start(Guest::EXPLICIT_CORS, |config| config.pool.max_instances = 1).await;
    let ask = || post("/allow/new.example").header("origin", "https://new.example");
    for _ in 0..2 {
        let answer = host.client().send(ask()).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://new.example"));
    }
}
