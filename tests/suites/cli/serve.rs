//! `fasterapi-host serve` and its end, by signals.

use std::{fs, process::Command};

use fasterapi_tests::{
    Guest, eventually,
    http::{Protocol, get, post},
    process::{HostProcess, run},
};
use rustix::process::Signal;

use super::{component, host};

async fn serve(guest: Guest, args: &[&str]) -> Command {
    let component = component(guest).await;
    host(&[&["serve", component.to_str().unwrap(), "--addr", "127.0.0.1:0", "--pg", "none"], args].concat())
}

#[tokio::test]
async fn a_server_says_where_it_listens_and_logs_what_happens() {
    let server = HostProcess::start(serve(Guest::CONFORMANCE, &[]).await).await;
    let said = server.stdout();
    assert!(
        said.starts_with(&format!("listening on http://{} (", server.addr)) && said.contains(" routes)"),
        "{said}"
    );
    server.client().send(get("/errors/raise?token=by-process")).await.expect(500);
    eventually!(server.stderr().contains("RuntimeError: unhandled by-process"));
    let (status, _, _) = server.stop().await;
    assert!(status.success());
}

#[tokio::test]
async fn sigterm_and_sigint_drain() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = HostProcess::start(serve(Guest::CONFORMANCE, &[]).await).await;
        let mut exchange = server.client().open(Protocol::H1, post("/bare/echo"), true).await;
        assert_eq!(exchange.text().await, "ready\n");
        server.signal(signal);
        eventually!(server.client().try_connect(Protocol::H1).await.is_err());
        exchange.write("finish").await;
        assert_eq!(exchange.text().await, "FINISH");
        exchange.end();
        assert!(exchange.next().await.unwrap().is_none());
        assert!(server.ended().await.0.success());
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let server = HostProcess::start(serve(Guest::CONFORMANCE, &["--drain-timeout", "1h"]).await).await;
    let mut exchange = server.client().open(Protocol::H1, post("/bare/echo"), true).await;
    assert_eq!(exchange.text().await, "ready\n");
    server.signal(Signal::TERM);
    eventually!(server.stderr().contains("draining"));
    server.signal(Signal::TERM);
    let (status, _, log) = server.ended().await;
    assert!(status.success(), "{status}");
    assert!(log.contains("cut 1 request"), "{log}");
    assert!(exchange.next().await.is_err());
}

/// The compiled image is kept: a second start does not compile.
#[tokio::test]
async fn a_component_is_compiled_once() {
    let fresh = |folder: &tempfile::TempDir| folder.path().join("app.wasm");
    let folder = tempfile::tempdir().unwrap();
    // A tiny change makes a component of its own, which no cache knows: an empty custom section named by this process.
    let mut bytes = fs::read(component(Guest::STARLETTE).await).unwrap();
    let name = format!("test-{}", std::process::id());
    bytes.extend([0, u8::try_from(name.len()).unwrap() + 1, u8::try_from(name.len()).unwrap()]);
    bytes.extend(name.as_bytes());
    fs::write(fresh(&folder), bytes).unwrap();
    let path = fresh(&folder);
    let serve = || host(&["serve", path.to_str().unwrap(), "--addr", "127.0.0.1:0"]);
    for compiles in [true, false] {
        let server = HostProcess::start(serve()).await;
        server.client().send(get("/")).await.expect(200);
        let (_, _, log) = server.stop().await;
        assert_eq!(log.contains("compiling"), compiles, "{log}");
    }
}

#[tokio::test]
async fn variables_stand_for_flags() {
    let mut command = serve(Guest::CONFORMANCE, &[]).await;
    command.env("FASTERAPI_MAX_BODY", "1KiB").env("FASTERAPI_LOG_FORMAT", "json").env("RUST_LOG", "app=info");
    let server = HostProcess::start(command).await;
    server.client().send(post("/bodies/raw").body("", vec![0; 1024])).await.expect(200);
    server.client().send(post("/bodies/raw").body("", vec![0; 1025])).await.expect(413);
    server.client().send(get("/faults/log?token=as-json")).await.expect(200);
    eventually!(server.stderr().contains("as-json printed 0"));
    let log = server.stderr();
    let records = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(records.into_iter().all(|record| record["target"] == "app"), "{log}");
}

#[tokio::test]
async fn port_and_flags_choose_the_address() {
    let component = component(Guest::HELLO).await;
    let mut command = host(&["serve", component.to_str().unwrap()]);
    command.env("PORT", "0");
    let server = HostProcess::start(command).await;
    assert!(server.addr.ip().is_unspecified(), "{}", server.addr);
}

#[tokio::test]
async fn env_reaches_the_app() {
    let server = HostProcess::start(serve(Guest::CONFORMANCE, &["-e", "A=1", "--env", "B=x=y"]).await).await;
    let environment = server.client().send(get("/faults/environment")).await.expect(200).json();
    assert_eq!((&environment["A"], &environment["B"]), (&"1".into(), &"x=y".into()));
}

#[tokio::test]
async fn the_embedded_server_comes_and_goes_with_the_host() {
    let data = tempfile::Builder::new().prefix("fpt-").tempdir_in("/tmp").unwrap();
    let component = component(Guest::ITEMS).await;
    let serve = || {
        let mut command = host(&["serve", component.to_str().unwrap(), "--addr", "127.0.0.1:0"]);
        command.env("FASTERAPI_PG_DATA", data.path());
        command
    };
    let server = HostProcess::start(serve()).await;
    let item = post("/items").json(r#"{"name": "Widget", "price": "1.50"}"#);
    server.client().send(item).await.expect(201);
    let mut pg_url = host(&["pg", "url"]);
    pg_url.env("FASTERAPI_PG_DATA", data.path());
    let url = run(pg_url).await;
    assert!(
        url.stdout.starts_with("postgres://fasterapi_app@/fasterapi?host="),
        "{}{}",
        url.stdout,
        url.stderr
    );
    assert!(server.stop().await.0.success());
    // What was written outlives the host.
    let server = HostProcess::start(serve()).await;
    let items = server.client().send(get("/items")).await.expect(200).json();
    assert_eq!((&items["total"], &items["items"][0]["name"]), (&1.into(), &"Widget".into()));
    assert!(server.stop().await.0.success());
}
