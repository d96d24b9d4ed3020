//! The standard export: an app without Postgres runs on any WASI 0.3 host.
//!
//! Once in the handler that `wasmtime serve` is made of, over nothing but WASI; once by that program, where there is
//! one of the same version.

use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    process::Command,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use fasterapi_capabilities::outbound::DenyOutbound;
use fasterapi_tests::{
    Guest,
    http::{Client, Protocol, get, post},
    process::HostProcess,
};
use futures::stream;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use wasmtime::{
    Config, Engine, Store, StoreContextMut,
    component::{Component, GuestTaskId, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpView,
    handler::{
        HandlerState, Instance, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState,
        WorkerStatus,
    },
    p3::bindings::ServicePre,
};

/// What a host that knows nothing of us keeps of an instance.
struct Data {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: DenyOutbound,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// Instances take every request, many at a time, and never expire.
struct Patient;

impl WorkerExpiration for Patient {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>, _: WorkerStatus, _: Instant) -> Poll<()> {
        Poll::Pending
    }
}

impl WorkerState for Patient {
    type StoreData = Data;
    type RequestData = ();

    fn should_accept_request(&self, _: usize, _: usize) -> ShouldAccept {
        ShouldAccept::Yes
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Data>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, _: Store<Data>, result: wasmtime::Result<()>) {
        result.unwrap();
    }
}

struct Standard {
    engine: Engine,
    service: ServicePre<Data>,
}

impl HandlerState for Standard {
    type StoreData = Data;
    type WorkerExpiration = Patient;
    type WorkerState = Patient;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Data, Patient, Patient>> {
        let wasi = WasiCtxBuilder::new().inherit_stdio().build();
        let data = Data { wasi, http: WasiHttpCtx::new(), table: ResourceTable::new(), hooks: DenyOutbound };
        let mut store = Store::new(&self.engine, data);
        let proxy = Proxy::P3(self.service.instantiate_async(&mut store).await?);
        Ok(Instance { store, proxy, view: Data::http, expiration: Patient, state: Patient })
    }
}

/// A host of WASI 0.2 and 0.3 and `wasi:http`, and of nothing else.
async fn host(guest: Guest) -> ProxyHandler<Standard> {
    let made = tokio::task::spawn_blocking(move || {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_file(&engine, guest.component()).unwrap();
        let imports: Vec<_> =
            component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
        assert!(imports.iter().all(|name| name.starts_with("wasi:")), "{imports:?}");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
        wasmtime_wasi_http::p3::add_to_linker(&mut linker).unwrap();
        let service = ServicePre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Standard { engine, service }
    });
    ProxyHandler::new(made.await.unwrap())
}

fn request(method: &str, path: &str, parts: Vec<Bytes>) -> Request<WasiBody> {
    let frames = parts.into_iter().map(|part| Ok::<_, Infallible>(Frame::data(part)));
    let body = StreamBody::new(stream::iter(frames)).map_err(|never| match never {}).boxed_unsync();
    Request::builder().method(method).uri(format!("http://testserver{path}")).body(body).unwrap()
}

/// An answer's status, type and parts.
async fn answer(host: &ProxyHandler<Standard>, request: Request<WasiBody>) -> (u16, String, Vec<Bytes>) {
    let answer = host.handle((), request).await.unwrap();
    let (head, mut body) = answer.into_parts();
    let kind = head.headers["content-type"].to_str().unwrap().to_owned();
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        parts.extend(frame.unwrap().into_data());
    }
    (head.status.as_u16(), kind, parts)
}

#[tokio::test]
async fn a_fastapi_app_runs_on_a_standard_host() {
    let host = host(Guest::HELLO).await;
    for (method, path, status, text) in [
        ("GET", "/", 200, r#"{"message":"Hello, FasterAPI!"}"#),
        ("GET", "/health?a=b", 200, r#"{"status":"ok"}"#),
        ("GET", "/nowhere", 404, r#"{"detail":"Not Found"}"#),
        ("POST", "/", 405, r#"{"detail":"Method Not Allowed"}"#),
    ] {
        let found = answer(&host, request(method, path, Vec::new())).await;
        assert_eq!(found.0, status, "{method} {path}");
        assert_eq!((found.1.as_str(), found.2.concat().as_slice()), ("application/json", text.as_bytes()));
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_on_a_standard_host() {
    let host = host(Guest::STARLETTE).await;
    let (status, _, parts) = answer(&host, request("GET", "/greet/Ada", Vec::new())).await;
    assert_eq!((status, parts.concat().as_slice()), (200, &b"Hello, Ada!"[..]), "start-up gave the greeting");
    let (status, kind, parts) = answer(&host, request("GET", "/stream/count/5", Vec::new())).await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(parts, ["0\n", "1\n", "2\n", "3\n", "4\n"], "each part comes when it is made");
    let sent = vec![Bytes::from(vec![b'a'; 100_000]); 10];
    let (status, _, parts) = answer(&host, request("POST", "/stream/shout", sent)).await;
    assert_eq!(status, 200);
    assert!(parts.concat() == vec![b'A'; 1_000_000]);
}

#[tokio::test]
async fn requests_at_once_share_an_instance_of_a_standard_host() {
    let host = host(Guest::STARLETTE).await;
    let asks =
        (0..20).map(|number| answer(&host, request("GET", &format!("/stream/count/{number}"), Vec::new())));
    for (number, (status, _, parts)) in futures::future::join_all(asks).await.into_iter().enumerate() {
        let expected: String = (0..number).map(|number| format!("{number}\n")).collect();
        assert_eq!((status, parts.concat()), (200, expected.into_bytes()));
    }
}

/// The version of the program `wasmtime`, if there is one.
fn wasmtime_version() -> Option<String> {
    let output = Command::new("wasmtime").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap().split_whitespace().nth(1)?.to_owned())
}

/// Says so where the harness does not hide it.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("wasmtime_serve_runs_an_app skipped: {why}\n").as_bytes()).unwrap();
}

#[tokio::test]
async fn wasmtime_serve_runs_an_app() {
    match wasmtime_version() {
        None => return skipped("no wasmtime in PATH"),
        Some(version) if !version.starts_with("48.") => {
            return skipped(&format!("wasmtime {version} in PATH, not 48"));
        }
        Some(_) => {}
    }
    let component = tokio::task::spawn_blocking(|| Guest::STARLETTE.component()).await.unwrap();
    let mut command = Command::new("wasmtime");
    command.args(["serve", "-Scli,p3", "-Wcomponent-model-async", "--addr", "127.0.0.1:0"]).arg(component);
    let server = HostProcess::start_other(command, "Serving HTTP on http://").await;
    let client: Client = server.client();
    let greeted = client.send_by(Protocol::H1, get("/greet/Ada")).await.expect(200);
    assert_eq!(greeted.text(), "Hello, Ada!");
    assert_eq!(client.send(get("/stream/count/3")).await.expect(200).text(), "0\n1\n2\n");
    let sent = post("/stream/shout").body("", vec![b'a'; 1_000_000]);
    assert!(client.send(sent).await.expect(200).body == vec![b'A'; 1_000_000]);
}
