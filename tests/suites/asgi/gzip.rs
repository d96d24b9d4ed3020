//! `GZipMiddleware`. The two Pythons have two builds of zlib, so what is compared is what a client unpacks.

use std::io::Read;

use fasterapi_tests::{
    Host,
    http::{Answer, Protocol, get},
    uvicorn::Uvicorn,
};
use flate2::read::MultiGzDecoder;

/// What must be equal: the status, the headers but for those of the packed bytes and of the connection, the text.
fn gist(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    assert!(answer.whole);
    let mut text = String::new();
    if answer.header("content-encoding") == Some("gzip") {
        MultiGzDecoder::new(answer.body.as_ref()).read_to_string(&mut text).unwrap();
    } else {
        text = answer.text();
    }
    let own = ["date", "server", "connection", "transfer-encoding", "content-length"];
    let headers = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (answer.status, headers, text)
}

#[tokio::test]
async fn compressed_answers_are_the_same_as_under_uvicorn() {
    let (uvicorn, host) = (Uvicorn::shared().await.client(), Host::conformance().await.client());
    for (path, accepts, packed) in [
        ("/layered/long", "gzip", true),
        ("/layered/long", "br, gzip;q=0.5", true),
        ("/layered/long", "identity", false),
        ("/layered/stream", "gzip", true),
        ("/layered/stream", "identity", false),
        ("/layered/short", "gzip", false),
    ] {
        let ask = get(path).header("accept-encoding", accepts);
        let expected = uvicorn.send(ask.clone()).await.expect(200);
        assert_eq!(expected.header("content-encoding"), packed.then_some("gzip"), "{path} {accepts}");
        for protocol in [Protocol::H1, Protocol::H2] {
            let found = host.send_by(protocol, ask.clone()).await;
            assert_eq!(gist(&found), gist(&expected), "{path} {accepts} {protocol:?}");
            assert!(!packed || found.body.len() < 1000, "{} bytes", found.body.len());
        }
    }
}
