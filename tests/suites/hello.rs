//! The smallest app, end to end.

use fasterapi_tests::{
    Guest, Host,
    http::{Protocol, get},
};

#[tokio::test]
async fn hello_answers_by_both_protocols() {
    let host = Host::start(Guest::HELLO, |_| {}).await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let answer = host.client().send_by(protocol, get("/")).await.expect(200);
        assert_eq!(answer.text(), r#"{"message":"Hello, FasterAPI!"}"#);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = host.client().send_by(protocol, get("/health")).await.expect(200);
        assert_eq!(answer.text(), r#"{"status":"ok"}"#);
        assert_eq!(
            host.client().send_by(protocol, get("/nowhere")).await.expect(404).text(),
            r#"{"detail":"Not Found"}"#
        );
    }
    let report = host.stop().await;
    assert_eq!((report.cut_connections, report.cut_requests), (0, 0));
}
