//! What the host answers without asking the app: equal to what the app would answer, and given only where that is certain.

use std::time::Duration;

use fasterapi_tests::{
    Guest, Host, cases,
    compare::compare_with,
    eventually,
    http::{Ask, Protocol, ask, get, post},
    uvicorn::Uvicorn,
};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];

const PATHS: [&str; 62] = [
    "/",
    "//",
    "/nowhere",
    "/nowhere/",
    "/nowhere//",
    "/nowhere?a=b",
    "/n%6fwhere/%2F",
    "/%C3%A9",
    "/%FF",
    "/caf%E9/",
    "/%00",
    "/%0A",
    "/items%0A",
    "/a%20b",
    "/items",
    "/items/",
    "/items//",
    "/items?q=1",
    "/items/?q=1&r=%20",
    "/Items",
    "/items/1",
    "/items/1/",
    "/items/x",
    "/items/0",
    "/items/0/",
    "/items/a%2Fb",
    "/items/%3F%23%5C/",
    "/slash",
    "/slash/",
    "/slash//",
    "/slash?x=%C3%A9&y=a+b",
    "/gone",
    "/gone/",
    "/several",
    "/several/",
    "/n/12",
    "/n/12/",
    "/n/x",
    "/n/-1",
    "/f/1.5/end",
    "/f/1./end",
    "/f/1.5/end/",
    "/u/123e4567-e89b-12d3-a456-426614174000",
    "/u/123e4567-e89b-12d3-a456-426614174000/",
    "/u/123",
    "/a/b-c",
    "/a/bc",
    "/tree",
    "/tree/",
    "/tree/a/b/",
    "/v1",
    "/v1/things",
    "/v1/things/",
    "/v1/deep",
    "/v1/deep/",
    "/ws",
    "/ws/",
    "/sub",
    "/sub/",
    "/sub/inner",
    "/sub/nowhere",
    "/openapi.json/",
];

/// Redirects name the host as it was sent. One that is no host has each server name itself.
const HOSTS: [&str; 5] = ["example.org", "example.org:8080", "EXAMPLE.org:080", "[::1]:80", "a_b.c~d"];

fn grid() -> Vec<Ask> {
    let paths = PATHS.iter().chain(&["/docs/oauth2-redirect", "/openapi.json", "/redoc/"]);
    let all = paths.flat_map(|path| METHODS.map(|method| ask(method, path)));
    let hosts = HOSTS.iter().map(|host| get("/slash?a=b").header("host", *host));
    let long = ["9".repeat(5000), "9".repeat(600), "a".repeat(600)].map(|text| get(&format!("/n/{text}/")));
    all.chain(hosts).chain(long).collect()
}

async fn compare_both_lanes(asks: &[Ask]) {
    let uvicorn = Uvicorn::start(Guest::ANSWERS).await;
    let host = Host::start(Guest::ANSWERS, |_| {}).await;
    compare_with(&uvicorn, &host, asks).await;
}

#[tokio::test]
async fn what_no_route_serves_is_answered_as_the_app_would() {
    compare_both_lanes(&grid()).await;
}

#[tokio::test]
async fn what_is_no_json_is_answered_as_the_app_would() {
    compare_both_lanes(&cases::parse(include_str!("answers.txt"))).await;
}

/// A host whose only instance is busy for a while: what is answered all the same was answered by the host.
pub(crate) async fn busy(guest: Guest) -> (Host, fasterapi_tests::http::Begun) {
    let host = Host::start(guest, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
        config.pool.wait = Duration::from_millis(100);
    });
    let host = host.await;
    let begun = host.client().begin(Protocol::H1, get("/busy/60"), false).await;
    eventually!(host.census() == (1, 0));
    (host, begun)
}

fn known() -> Vec<(Ask, u16)> {
    vec![
        (get("/nowhere"), 404),
        (post("/nowhere").body("text/plain", "x"), 404),
        (get("/slash"), 307),
        (ask("HEAD", "/slash/"), 405),
        (ask("OPTIONS", "/items/1"), 405),
        (get("/openapi.json"), 200),
        (ask("HEAD", "/openapi.json"), 200),
        (get("/docs/oauth2-redirect"), 200),
        (post("/items").body("application/json", "name=x"), 422),
    ]
}

#[tokio::test]
async fn no_instance_is_asked_for_what_is_known() {
    let (host, busy) = busy(Guest::ANSWERS).await;
    for (ask, status) in known() {
        host.client().send(ask).await.expect(status);
    }
    for ask in [get("/"), get("/%0A"), post("/items").body("application/json", "{"), get("/sub/nowhere")] {
        host.client().send(ask).await.expect(503);
    }
    busy.leave();
}

#[tokio::test]
async fn an_app_with_a_handler_of_its_own_is_asked() {
    let (host, busy) = busy(Guest::OWN_ANSWERS).await;
    host.client().send(get("/nowhere")).await.expect(503);
    busy.leave();
    let host = Host::start(Guest::OWN_ANSWERS, |config| config.pool.max_instances = 1).await;
    for asked in 1..4 {
        let answer = host.client().send(get("/nowhere")).await.expect(404);
        assert_eq!(answer.json(), serde_json::json!({"asked": asked, "path": "/nowhere"}));
    }
    assert_eq!(host.client().send(ask("PUT", "/items")).await.expect(405).header("allow"), Some("POST"));
}
