//! Components and instances, without any socket: the image, the cold start, the warm call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use criterion::Bencher;
use fasterapi_benches::apps;
use fasterapi_capabilities::postgres::PostgresGrants;
use fasterapi_core::{
    TenantId,
    manifest::{self, Route},
};
use fasterapi_postgres::Databases;
use fasterapi_runtime::{
    Call, Engine, Files, Grants, ImageCache, Instance, InstanceLimits, PlannedCall, RequestHead, Template,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::runtime::Runtime;

use crate::suite::Suite;

/// A request for the app.
#[derive(Clone, Copy)]
pub struct Request {
    pub name: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    /// The compiled lane's name for it.
    pub compiled: Option<&'static str>,
}

const ITEM: &str =
    r#"{"name":"teapot","price":12.5,"tags":["kitchen","tea"],"description":"short and stout"}"#;

pub const REQUESTS: [Request; 3] = [
    Request {
        name: "warm call, ASGI lane, `def`",
        method: "GET",
        path: "/",
        body: "",
        compiled: Some("warm call, compiled lane, `def`"),
    },
    Request {
        name: "warm call, ASGI lane, `async def`",
        method: "GET",
        path: "/a",
        body: "",
        compiled: Some("warm call, compiled lane, `async def`"),
    },
    Request {
        name: "warm call, ASGI lane, model in, model out",
        method: "POST",
        path: "/items",
        body: ITEM,
        compiled: Some("warm call, compiled lane, model in, model out"),
    },
];

const HELLO: Request = Request {
    name: "warm call, guest that does nothing",
    method: "GET",
    path: "/",
    body: "",
    compiled: None,
};

pub fn run(suite: &mut Suite) -> Result<()> {
    let engine = Engine::new()?;
    let images = ImageCache::open(&apps::cache_folder()?.join("images"))?;
    let app = std::fs::read(apps::component("plain")?)?;
    images.load(&engine, &app, || println!("    compiling"))?;
    suite.time("image load", |bencher, _| {
        bencher.iter(|| images.load(&engine, &app, || unreachable!("it was compiled before")).is_ok());
    });
    let template = template(suite, &engine, &images, &app)?;
    suite.time("cold start, instantiation alone", |bencher, runtime| {
        without_drop(bencher, || runtime.block_on(template.instantiate()).is_ok());
    });
    suite.time("cold start, with the app's start-up", |bencher, runtime| {
        cold(bencher, runtime, &template, false);
    });
    suite.time("cold start, with the app's start-up and its first answer", |bencher, runtime| {
        cold(bencher, runtime, &template, true);
    });
    let empty = self::template(suite, &engine, &images, &std::fs::read(apps::empty_guest()?)?)?;
    warm(suite, &empty, HELLO.name, &HELLO, None)?;
    let routes = manifest::read(&app)?.map(|manifest| manifest.routes).unwrap_or_default();
    REQUESTS.iter().try_for_each(|request| {
        warm(suite, &template, request.name, request, None)?;
        let Some(name) = request.compiled else { return Ok(()) };
        warm(suite, &template, name, request, Some(plan(&routes, request)?))
    })
}

/// The plan of a request's route. Its path and query have no parameters.
pub fn plan(routes: &[Route], request: &Request) -> Result<u32> {
    let serves =
        |route: &&Route| route.path == request.path && route.methods.iter().any(|m| m == request.method);
    let plan = routes.iter().find(serves).and_then(|route| route.plan.as_ref());
    plan.map(|plan| plan.number).with_context(|| format!("{} {} has no plan", request.method, request.path))
}

/// A component, ready to make instances of.
pub fn template(suite: &Suite, engine: &Engine, images: &ImageCache, component: &[u8]) -> Result<Template> {
    let _inside = suite.runtime.enter();
    let component = images.load(engine, component, || println!("    compiling"))?;
    let databases = Arc::new(Databases::builder().build());
    let postgres = Arc::new(PostgresGrants {
        databases,
        tenant: TenantId::default(),
        terms: std::collections::HashMap::new(),
    });
    let grants = Grants { app: "bench".into(), environment: Vec::new(), files: Files::default(), postgres };
    Ok(Template::new(engine, &component, grants, InstanceLimits::default())?)
}

/// An instance that has started.
pub async fn instance(template: &Template) -> Result<Instance> {
    let mut instance = template.instantiate().await?;
    instance.start().await?;
    Ok(instance)
}

/// Has `instance` answer a plain request.
pub async fn hello(instance: &mut Instance, plan: Option<u32>) -> Result<()> {
    ask(instance, &HELLO, plan).await
}

/// The plan of the plain request.
pub fn hello_plan(component: &[u8]) -> Result<u32> {
    let manifest = manifest::read(component)?.context("the app has no manifest")?;
    plan(&manifest.routes, &HELLO)
}

fn cold(bencher: &mut Bencher<'_>, runtime: &Runtime, template: &Template, answer: bool) {
    let made = || {
        runtime.block_on(async {
            let mut instance = instance(template).await?;
            if answer {
                hello(&mut instance, None).await?;
            }
            anyhow::Ok(instance)
        })
    };
    without_drop(bencher, made);
}

/// Times the making alone: instances end outside the clock.
fn without_drop<T>(bencher: &mut Bencher<'_>, mut make: impl FnMut() -> T) {
    bencher.iter_custom(|count| {
        let mut spent = Duration::ZERO;
        for _ in 0..count {
            let started = Instant::now();
            let made = make();
            spent += started.elapsed();
            drop(made);
        }
        spent
    });
}

fn warm(
    suite: &mut Suite,
    template: &Template,
    name: &'static str,
    request: &Request,
    plan: Option<u32>,
) -> Result<()> {
    if !suite.wants(name) {
        return Ok(());
    }
    let mut instance = suite.runtime.block_on(instance(template))?;
    suite.runtime.block_on(ask(&mut instance, request, plan))?;
    suite.time(name, |bencher, runtime| {
        bencher.iter(|| runtime.block_on(ask(&mut instance, request, plan)).is_ok());
    });
    // Had one of them failed, the instance would refuse now.
    suite.runtime.block_on(ask(&mut instance, request, plan))
}

/// Has `instance` answer `request`, in the lane of its plan if there is one.
pub async fn ask(instance: &mut Instance, request: &Request, plan: Option<u32>) -> Result<()> {
    let (exchange, answer) = tokio::sync::oneshot::channel();
    let body = Bytes::from_static(request.body.as_bytes());
    let planned = plan.map(|plan| PlannedCall {
        plan,
        status: StatusCode::OK,
        values: "{}".to_owned(),
        head: false,
        body: !request.body.is_empty(),
    });
    let call = Call { number: instance.served(), head: head(request), body, more: None, planned };
    instance.invoke(call, exchange).await?;
    let reply = answer.await??;
    ensure!(reply.status == 200, "{} answered {}", request.path, reply.status);
    Ok(())
}

/// The head that a browser's request would have, more or less.
fn head(request: &Request) -> RequestHead {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = request.method.parse().unwrap_or_default();
    parts.uri = request.path.parse().unwrap_or_default();
    let texts = [
        ("host", "127.0.0.1:8000"),
        ("user-agent", "bench"),
        ("accept", "*/*"),
        ("content-type", "application/json"),
    ];
    let texts = texts.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    parts.headers.extend(texts);
    parts.headers.insert(header::CONTENT_LENGTH, request.body.len().into());
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    RequestHead { parts, scheme: "http", client: local, server: local }
}
