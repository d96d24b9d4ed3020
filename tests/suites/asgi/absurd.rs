//! Bodies that nobody means well: FastAPI's own answer, or the host's 4xx, and the next request is served.

use fasterapi_tests::{
    Guest, Host,
    compare::compare,
    http::{Ask, Protocol, post},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Nested deeper than any parser follows, in every place that takes JSON.
#[tokio::test]
async fn json_nested_without_measure_is_answered_as_under_uvicorn() {
    let deep = [("[", "]"), ("{\"a\":", "}")].map(|(open, close)| {
        [200, 100_000].map(|depth| format!("{}1{}", open.repeat(depth), close.repeat(depth)))
    });
    let broken = format!("{}1", "[".repeat(100_000));
    let bodies: Vec<String> = deep.into_iter().flatten().chain([broken]).collect();
    let asks = ["/bodies/any", "/bodies/json", "/bodies/model", "/bodies/wide"]
        .iter()
        .flat_map(|target| bodies.iter().map(|body| post(target).json(body.clone())));
    let asks: Vec<Ask> = asks.collect();
    compare(Host::conformance().await, &asks).await;
    compare(Host::conformance_in_asgi_lane().await, &asks).await;
}

#[tokio::test]
async fn a_million_fields_of_a_form_are_answered_as_under_uvicorn() {
    let repeated = "tags=x&".repeat(1_000_000) + "name=n";
    let named: String = (0..1_000_000).map(|number| format!("f{number}=1&")).collect();
    let asks = [repeated, named].map(|body| post("/bodies/form").body(FORM, body));
    compare(Host::conformance().await, &asks).await;
    compare(Host::conformance_in_asgi_lane().await, &asks).await;
}

#[tokio::test]
async fn more_parts_than_a_form_may_have_are_answered_as_under_uvicorn() {
    let part = "--B\r\ncontent-disposition: form-data; name=\"tags\"\r\n\r\nx\r\n";
    let body = part.repeat(100_000) + "--B--\r\n";
    let ask = post("/bodies/form").body("multipart/form-data; boundary=B", body);
    compare(Host::conformance().await, std::slice::from_ref(&ask)).await;
    compare(Host::conformance_in_asgi_lane().await, &[ask]).await;
}

/// With the limit out of the way it is one failed request: a file stays in the instance's memory, which ends, and FastAPI
/// answers that as it answers any body that it cannot read.
#[tokio::test]
async fn a_file_of_a_gigabyte_is_refused_or_fails_alone() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.edge.limits.body_bytes = 2 << 30).await;
    let size = 1 << 30;
    let head = "--B\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"f\"\r\n\r\n";
    let begin = || {
        post("/bodies/upload")
            .header("content-type", "multipart/form-data; boundary=B")
            .header("content-length", (size + head.len() + 9).to_string())
    };
    let refused = Host::conformance().await.client().begin(Protocol::H1, begin(), true).await;
    assert_eq!(refused.answer().await.status, 413, "before any of it is read");
    let mut upload = host.client().begin(Protocol::H1, begin(), true).await;
    upload.write(head).await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..1024 {
        if upload.is_answered() || !upload.try_write(piece.clone()).await {
            break;
        }
    }
    let answer = upload.answer().await.expect(400);
    assert_eq!(answer.text(), r#"{"detail":"There was an error parsing the body"}"#);
    let small = post("/bodies/raw").body("", "small");
    host.client().send(small).await.expect(200);
    host.stop().await;
}
