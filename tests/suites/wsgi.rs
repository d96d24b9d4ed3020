//! WSGI apps, unmodified.

use fasterapi_tests::{
    Guest, Host, eventually,
    http::{get, post},
    logs,
};
use serde_json::json;

#[tokio::test]
async fn a_wsgi_app_is_served_as_it_is() {
    let host = Host::start(Guest::WSGI, |_| {}).await;
    let client = host.client();
    assert_eq!(client.send(get("/?name=%3CAda%3E")).await.expect(200).text(), "<p>Hello, &lt;Ada&gt;!</p>\n");
    let form =
        post("/form").header("x-agent", "test").body("application/x-www-form-urlencoded", "a=1&b=%C3%A4");
    let answer = client.send(form).await.expect(200);
    assert_eq!(answer.header("set-cookie"), Some("seen=yes"));
    assert_eq!(answer.json(), json!({"fields": {"a": "1", "b": "ä"}, "agent": "test"}));
    let large = post("/count").body("application/octet-stream", vec![b'x'; 1 << 20]);
    assert_eq!(client.send(large).await.expect(200).json(), json!({"bytes": 1 << 20}));
    let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
    assert_eq!(client.send(get("/stream")).await.expect(200).text(), lines);
    let style = client.send(get("/static/style.css")).await.expect(200);
    assert_eq!(
        (style.text().as_str(), style.header("content-type")),
        ("body { color: black }\n", Some("text/css; charset=UTF-8"))
    );
    assert_eq!(client.send(get("/static/../main.py")).await.status, 403);
    assert_eq!(client.send(get("/nowhere")).await.status, 404);
    assert_eq!(client.send(get("/fails")).await.status, 418);
    assert_eq!(client.send(get("/raises")).await.expect(500).text(), "Internal Server Error");
    eventually!(logs::have("KeyError: 'missing'"));
    host.stop().await;
}
