//! What `guest-sdk/wasi-wheels` says works, in a component.

use fasterapi_tests::{
    Guest, Host, eventually,
    http::{Ask, ask, get, post},
    logs,
};
use serde_json::json;

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
        ("/itsdangerous", json!({"loaded": [1, 2], "forged": false})),
    ];
    for (path, expected) in told {
        assert_eq!(client.send(get(path)).await.expect(200).json(), expected, "{path}");
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
