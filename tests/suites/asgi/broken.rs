//! Apps that break ASGI's rules. uvicorn has sent its `200` by the time it notices and cuts the connection; here nothing
//! was sent yet, so the client gets a clean 500: the one place where an answer is meant to differ from uvicorn's.

use fasterapi_tests::{
    Host, eventually,
    http::{Protocol, ask, get},
    logs,
    uvicorn::Uvicorn,
};

#[tokio::test]
async fn a_response_that_is_never_finished_is_a_clean_500() {
    let (uvicorn, host) = (Uvicorn::shared().await.client(), Host::conformance().await.client());
    for target in ["/bare/half", "/bare/too-long"] {
        let reference = uvicorn.send(get(target)).await;
        assert_eq!((reference.status, reference.whole), (200, false), "{target}: uvicorn does better now");
        for protocol in [Protocol::H1, Protocol::H2] {
            assert_eq!(host.send_by(protocol, get(target)).await.expect(500).text(), "Internal Server Error");
        }
    }
    eventually!(logs::have("Response content longer than Content-Length"));
    eventually!(logs::have("ASGI callable returned without completing response"));
}

/// httptools knows a list of methods and answers 400 to others; the host leaves it to the app.
#[tokio::test]
async fn a_method_that_nobody_knows_is_405() {
    let host = Host::conformance().await.client();
    for protocol in [Protocol::H1, Protocol::H2] {
        let answer = host.send_by(protocol, ask("BREW", "/params/query")).await.expect(405);
        assert_eq!(
            (answer.header("allow"), answer.text().as_str()),
            (Some("GET"), r#"{"detail":"Method Not Allowed"}"#)
        );
    }
}
