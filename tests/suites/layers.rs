//! Starlette's middleware, done by the host in the app's place: over a grid of requests, equal to Starlette's own.

use std::time::Duration;

use fasterapi_tests::{
    Guest, Host,
    compare::compare_with,
    eventually,
    http::{Ask, Protocol, ask, get, post},
    uvicorn::Uvicorn,
};

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
    let uvicorn = Uvicorn::start(guest).await;
    let host = Host::start(guest, |_| {}).await;
    compare_with(&uvicorn, &host, &grid()).await;
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
    let host = Host::start(Guest::EXPLICIT_CORS, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
        config.pool.wait = Duration::from_millis(100);
    });
    let host = host.await;
    let busy = host.client().begin(Protocol::H1, get("/busy/60"), false).await;
    eventually!(host.census() == (1, 0));
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
