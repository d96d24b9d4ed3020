//! The docs pages, without a network beyond the host's: the app's own, but for where they find their scripts.

use fasterapi_tests::{
    Guest, Host,
    http::{Protocol, ask, get},
    uvicorn::Uvicorn,
};
use sha2::{Digest, Sha256};

const FILES: [(&str, &str, &str); 5] = [
    (
        "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js",
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
    ),
    (
        "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css",
        "swagger-ui.css",
        "text/css; charset=utf-8",
    ),
    (
        "https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js",
        "redoc.standalone.js",
        "text/javascript; charset=utf-8",
    ),
    ("https://fastapi.tiangolo.com/img/favicon.png", "favicon.png", "image/png"),
    (
        "https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700",
        "fonts.css",
        "text/css; charset=utf-8",
    ),
];

const FOLDER: &str = "/_fasterapi/docs/2026.10.1";

/// By a host that knows the pages, and by one that asks the app for them.
#[tokio::test]
async fn pages_are_the_apps_own_with_files_of_the_host() {
    for guest in [Guest::ANSWERS, Guest::CONFORMANCE] {
        let uvicorn = Uvicorn::start(Guest { target: "main:app", ..guest }).await;
        let host = Host::start(guest, |_| {}).await;
        for page in ["/docs", "/redoc"] {
            let mut expected = uvicorn.client().send(get(page)).await.expect(200).text();
            for (address, name, _) in FILES {
                expected = expected.replace(address, &format!("{FOLDER}/{name}"));
            }
            for protocol in [Protocol::H1, Protocol::H2] {
                let found = host.client().send_by(protocol, get(page)).await.expect(200);
                assert_eq!(found.text(), expected);
                assert_eq!(found.header("content-type"), Some("text/html; charset=utf-8"));
                let head = host.client().send_by(protocol, ask("HEAD", page)).await.expect(200);
                assert_eq!(
                    (head.body.len(), head.header("content-length")),
                    (0, found.header("content-length"))
                );
            }
            let away = expected.split('"').find(|word| word.starts_with("http") || word.starts_with("//"));
            assert_eq!(away, None, "{page} needs another host");
        }
    }
}

#[tokio::test]
async fn the_files_are_those_that_were_released() {
    let host = Host::start(Guest::ANSWERS, |_| {}).await;
    let mut sums = Vec::new();
    for (_, name, kind) in FILES {
        let target = format!("{FOLDER}/{name}");
        let found = host.client().send(get(&target)).await.expect(200);
        assert_eq!(found.header("content-type"), Some(kind), "{name}");
        let sum = hex::encode(Sha256::digest(&found.body));
        sums.push(format!("{} {name}", &sum[..16]));
        let head = host.client().send(ask("HEAD", &target)).await.expect(200);
        assert_eq!(head.header("content-length"), Some(found.body.len().to_string().as_str()));
        host.client().send(ask("POST", &target)).await.expect(404);
    }
    insta::assert_snapshot!(sums.join("\n"), @r"
    050bc415ee7048dc swagger-ui-bundle.js
    1ac324f7dcd27e4b swagger-ui.css
    dcaf76612bc4a3fb redoc.standalone.js
    3ed612f41e050ca5 favicon.png
    b29a7fecc4495adb fonts.css
    ");
    for target in [
        "/_fasterapi/docs",
        "/_fasterapi/docs/2026.10.1/",
        "/_fasterapi/docs/2026.10.1/..%2Fx",
        "/_fasterapi/docs/1/favicon.png",
    ] {
        host.client().send(get(target)).await.expect(404);
    }
}

/// Starlette has no such pages.
#[tokio::test]
async fn an_app_without_such_pages_carries_no_files() {
    let host = Host::start(Guest::STARLETTE, |_| {}).await;
    host.client().send(get(&format!("{FOLDER}/favicon.png"))).await.expect(404);
}
