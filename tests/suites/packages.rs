//! What `guest-sdk/wasi-wheels` says works, in a component.

use std::{fs, time::Duration};

use fasterapi_tests::{
    Guest, Host, cases,
    compare::compare_with,
    eventually,
    http::{Ask, ask, get, post},
    logs,
    uvicorn::Uvicorn,
};
use serde_json::json;

const DERIVED: &str = "632c2812e46d4604102ba7618e9d6d7d2f8128f6266b4a03264d2a0460b7dcb3";
const HMAC: &str = "e477384d7ca229dd";

#[tokio::test]
async fn each_package_works() {
    let host = Host::start(Guest::PACKAGES, |_| {}).await;
    let client = host.client();
    let page = client.send(get("/jinja2/%3CAda%3E").header("host", "shop")).await.expect(200).text();
    assert_eq!(page, "<h1>&lt;Ada&gt;</h1>\n0, 1, 2\n<a href=\"http://shop/markupsafe\">more</a>");
    let told = [
        ("/markupsafe", json!("<b>&lt;&amp;&gt;</b>")),
        (
            "/pyyaml",
            json!({"loaded": {"a": [1, 2.5, null], "b": {"c": "ä"}}, "dumped": "a:\n- 1\n- 2.5\n- null\nb:\n  c: ä\n"}),
        ),
        ("/pyjwt", json!({"claims": {"sub": "ada"}, "forged": false})),
        ("/prometheus-client", json!("seen_total{kind=\"a\"} 1.0")),
        ("/python-jose/HS256", json!({"claims": {"sub": "ada"}, "forged": false})),
        ("/python-jose/RS256", json!({"claims": {"sub": "ada"}, "forged": false})),
        ("/python-jose/ES256", json!({"claims": {"sub": "ada"}, "forged": false})),
        ("/itsdangerous", json!({"loaded": [1, 2], "forged": false})),
        ("/regex", json!({"found": ["Ähre", "Über"], "close": [4, 8], "stopped": true})),
        ("/rpds-py", json!(["'name' is a required property", "-1 is less than the minimum of 0"])),
        ("/bcrypt", json!({"known": true, "own": true, "other": false})),
        ("/hashlib", json!({"derived": DERIVED, "hmac": HMAC})),
        ("/passlib/pbkdf2_sha256", json!({"own": true, "other": false})),
        ("/passlib/sha256_crypt", json!({"own": true, "other": false})),
    ];
    for (path, expected) in told {
        assert_eq!(client.send(get(path)).await.expect(200).json(), expected, "{path}");
    }
    let sent = r#"{"type": "Point", "x": 0.1, "names": ["ä"], "at": "2020-01-02T03:04:05.678Z"}"#;
    let expected = r#"{"type":"Point","x":0.1,"y":0,"names":["ä"],"at":"2020-01-02T03:04:05.678000Z"}"#;
    assert_eq!(client.send(post("/msgspec").json(sent)).await.expect(200).text(), expected);
    let refused = client.send(post("/msgspec").json(r#"{"type": "Point", "x": 1, "y": -1}"#)).await;
    assert_eq!(refused.expect(400).json(), json!({"detail": "Expected `int` >= 0 - at `$.y`"}));
    let sent = r#"[1.5e300, 18446744073709551615, "\ud83d\ude00", null]"#;
    let expected = r#"{"1":0.1,"id":"00000000-0000-0000-0000-000000000007","loaded":[1.5e+300,18446744073709551615,"😀",null],"when":"2024-02-29T00:00:00+00:00"}"#;
    assert_eq!(client.send(post("/orjson").json(sent)).await.expect(200).text(), expected);
    client.send(post("/orjson").json("[1,")).await.expect(400);
    host.stop().await;
}

#[tokio::test]
async fn passwords_are_hashed_as_under_uvicorn() {
    let requests = fs::read_to_string(Guest::PASSWORDS.dir().join("requests.txt")).unwrap();
    // Some requests hash five times with the defaults, which a busy machine takes its time for.
    let host = Host::start(Guest::PASSWORDS, |config| config.instance.cpu = Duration::from_secs(60)).await;
    compare_with(&Uvicorn::start(Guest::PASSWORDS).await, &host, &cases::parse(&requests)).await;
    host.stop().await;
}

#[tokio::test]
async fn a_hash_that_wants_more_memory_than_there_is_is_an_exception() {
    let host = Host::start(Guest::PASSWORDS, |config| config.pool.max_instances = 1).await;
    let client = host.client();
    let asked = [("scrypt", "MemoryError: "), ("argon2", "HashingError: Memory allocation error")];
    for (position, (function, expected)) in asked.into_iter().enumerate() {
        let answer =
            client.send(get(&format!("/more-memory-than-there-is/{function}"))).await.expect(200).json();
        assert_eq!(answer["found"], expected, "{function}");
        assert_eq!(answer["asked"].as_array().unwrap().len(), position + 1, "the instance lives on");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_flask_app_is_served_as_it_is() {
    let host = Host::start(Guest::FLASK, |_| {}).await;
    let client = host.client();
    let page = client.send(get("/?name=%3CAda%3E")).await.expect(200).text();
    assert_eq!(page, "<h1>Hello, &lt;Ada&gt;!</h1>\n<p>0 visits, see /static/style.css</p>");
    let visited = client.send(post("/visits")).await.expect(302);
    assert_eq!(visited.header("location"), Some("/"));
    let cookie = visited.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = client.send(get("/").header("cookie", cookie)).await.expect(200).text();
    assert!(page.contains("<p>1 visits"), "{page}");
    let put: Ask = ask("PUT", "/json").json(r#"{"a": [1, null]}"#);
    assert_eq!(client.send(put).await.expect(200).json(), json!({"got": {"a": [1, null]}, "path": "/json"}));
    let bad = ask("PUT", "/json").json("{");
    assert_eq!(client.send(bad).await.status, 400);
    let file = "x".repeat(600_000); // more than Werkzeug keeps in memory by itself
    let form = format!(
        "--B\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--B\r\ncontent-disposition: form-data; \
         name=\"file\"; filename=\"f.txt\"\r\n\r\n{file}\r\n--B--\r\n"
    );
    let upload = post("/upload").body("multipart/form-data; boundary=B", form);
    let answer = client.send(upload).await.expect(200).json();
    assert_eq!(answer, json!({"name": "f.txt", "size": 600_000, "note": "hi"}));
    let lines: String = (0..100).map(|number| format!("{number} /stream\n")).collect();
    assert_eq!(client.send(get("/stream")).await.expect(200).text(), lines);
    assert_eq!(client.send(get("/items/3")).await.expect(200).json(), json!({"item": 3}));
    assert_eq!(
        client.send(get("/items/10")).await.expect(404).json(),
        json!({"error": "there is no item 10"})
    );
    assert_eq!(client.send(get("/static/style.css")).await.expect(200).text(), "h1 { color: black }\n");
    assert_eq!(client.send(ask("DELETE", "/json")).await.status, 405);
    assert_eq!(client.send(get("/raises")).await.status, 500);
    eventually!(logs::have("KeyError: 'missing'"));
    host.stop().await;
}

#[tokio::test]
async fn a_litestar_app_answers_as_under_uvicorn() {
    let requests = fs::read_to_string(Guest::LITESTAR.dir().join("requests.txt")).unwrap();
    let host = Host::start(Guest::LITESTAR, |_| {}).await;
    compare_with(&Uvicorn::start(Guest::LITESTAR).await, &host, &cases::parse(&requests)).await;
    let client = host.client();
    // The methods that `allow` names stand there in the order of a set.
    for (method, path) in [("HEAD", "/"), ("PUT", "/books")] {
        client.send(ask(method, path)).await.expect(405);
    }
    assert_eq!(client.send(get("/later")).await.expect(200).text(), "soon");
    eventually!(logs::have("done later"));
    host.stop().await;
}
