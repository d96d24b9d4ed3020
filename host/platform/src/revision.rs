//! A revision: one component and its manifest, immutable, with the pools that serve it.

use std::sync::Arc;

use fasterapi_core::{
    docs::DocsFiles,
    manifest::{self, Isolation, Manifest, RouteKind as ManifestKind},
};
use fasterapi_router::{Outcome, RouteKind, RoutePattern, Router};
use fasterapi_runtime::{
    Engine, Grants, ImageCache, InstanceLimits, LoadError, MakeError, Pool, PoolLimits, Template, WarmMaker,
};

use tokio::sync::watch;

use crate::{
    answers::{Known, KnownAnswers},
    docs::Docs,
    layers::Layers,
    plan::Plan,
    websockets::{self, WebSockets},
};

/// How an app is run.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// What its instances may use.
    pub grants: Grants,
    /// The bounds of each instance.
    pub instance: InstanceLimits,
    /// How its requests are shared out among them.
    pub serving: Serving,
}

/// How requests are shared out among an app's instances.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The bounds of their pool.
    pub pool: PoolLimits,
    /// Requests that one instance serves before it is replaced. 1: each request sees the app as it started.
    pub max_reuse: u64,
    /// WebSockets that one instance serves at a time.
    pub max_websockets: usize,
    /// Whether routes that have a plan are served by it.
    pub compiled_lane: bool,
    /// What its docs pages show themselves with, if it is here.
    pub docs: Arc<DocsFiles>,
}

/// A component that serves.
pub struct Revision {
    manifest: Manifest,
    router: Router,
    /// The pool of each route of the manifest, and its plan.
    routes: Vec<ServedRoute>,
    fallback: ServedRoute,
    /// What no route serves.
    missing: ServedRoute,
    /// The middleware that the host does.
    layers: Layers,
    /// None: its instances serve none.
    websockets: Option<WebSockets>,
    pool: Arc<Pool<WarmMaker>>,
    /// Closes with the revision.
    alive: watch::Sender<()>,
}

/// Why a component cannot become a revision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its first instance did not start.
    #[error(transparent)]
    Start(#[from] MakeError),
}

/// Which instances serve a request: an index into the pool, and a name for the log. Routes that share state have
/// equal keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey {
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
}

/// How the requests of a route are answered.
#[derive(Debug)]
pub(crate) struct ServedRoute {
    pub(crate) key: PoolKey,
    /// None: by the ASGI lane alone.
    pub(crate) plan: Option<Plan>,
    /// What needs no instance.
    pub(crate) known: Vec<Known>,
    /// Whose files its answer, a page, finds at the host.
    pub(crate) page: Option<Arc<Docs>>,
}

impl ServedRoute {
    /// By its instances and nothing else.
    const fn asked(key: PoolKey) -> Self {
        Self { key, plan: None, known: Vec::new(), page: None }
    }
}

/// The key's index of what no route certainly matches: the guest's own router answers there.
const FALLBACK: usize = 0;

impl Revision {
    /// Loads `component`, whose manifest is `manifest`, and shows that it starts. `compiling` is called before it is
    /// compiled, which takes seconds.
    ///
    /// # Errors
    /// When it is no component that this host serves, or its start-up fails.
    pub async fn load(
        engine: &Engine,
        images: &ImageCache,
        component: &[u8],
        manifest: Option<Manifest>,
        options: AppOptions,
        compiling: impl FnOnce(),
    ) -> Result<Self, RevisionError> {
        let image = images.load(engine, component, compiling)?;
        let AppOptions { grants, instance, serving } = options;
        let template = Template::new(engine, &image, grants, instance)?;
        Self::start(template, manifest, serving).await
    }

    /// Serves instances of `template`, an app's whose manifest is `manifest`, and shows that they start.
    ///
    /// # Errors
    /// When the start-up fails.
    pub async fn start(
        template: Template,
        manifest: Option<Manifest>,
        options: Serving,
    ) -> Result<Self, RevisionError> {
        let manifest = manifest.unwrap_or_else(unknown_app);
        let by_request = template.grants().postgres.depend_on_requests();
        let fallback = PoolKey { index: FALLBACK, name: "*".into() };
        let keys = keys(&manifest, &fallback);
        let layers = Layers::new(manifest.layers.as_ref());
        let lifts = options.compiled_lane && layers.is_some();
        let plan = |route| lifts.then(|| Plan::of(route)).flatten();
        let plans = manifest.routes.iter().map(plan);
        let pools = keys.iter().map(|key| key.index).max().unwrap_or(FALLBACK) + 1;
        let sockets = template.has_websockets().then(|| websockets::Routes::new(&manifest, pools));
        let maker = WarmMaker::new(Arc::new(template), options.max_reuse);
        let further = sockets.as_ref().map_or(0, websockets::Routes::pools);
        let pool = Pool::new(maker, pools + further, options.pool);
        pool.warm_up().await?;
        let alone = by_request || options.max_reuse == 1;
        let in_one = if alone { 1 } else { options.max_websockets };
        let sockets = sockets.map(|routes| WebSockets::new(routes, &pool, in_one, options.max_reuse));
        let paths = Arc::new(Router::new(patterns(&manifest, pattern_kind).map(any_method)));
        let docs = Docs::new(&options.docs, &paths);
        let known = KnownAnswers::new(&manifest, &paths, docs.as_ref(), lifts);
        let pages = manifest.routes.iter().map(|route| docs.clone().filter(|_| route.docs));
        let routes = keys.into_iter().zip(plans).zip(known.routes).zip(pages);
        let routes = routes.map(|(((key, plan), known), page)| {
            let known = known.into_iter().collect();
            ServedRoute { key, plan, known, page }
        });
        let routes = routes.collect();
        let missing = ServedRoute { known: known.missing, ..ServedRoute::asked(fallback.clone()) };
        let fallback = ServedRoute::asked(fallback);
        let layers = layers.filter(|_| lifts).unwrap_or_default();
        let (alive, _) = watch::channel(());
        let router = Router::new(patterns(&manifest, pattern_kind));
        Ok(Self { manifest, router, routes, fallback, missing, layers, websockets: sockets, pool, alive })
    }

    /// What the app says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its instances.
    #[must_use]
    pub const fn pool(&self) -> &Arc<Pool<WarmMaker>> {
        &self.pool
    }

    /// Waits until nobody has this revision any more: no request will ask its pool for an instance. The future does
    /// not keep it.
    pub(crate) fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut alive = self.alive.subscribe();
        async move { while alive.changed().await.is_ok() {} }
    }

    /// The middleware that the host does for it.
    pub(crate) const fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What serves its WebSockets.
    pub(crate) const fn websockets(&self) -> Option<&WebSockets> {
        self.websockets.as_ref()
    }

    /// What serves a method and a decoded path.
    pub(crate) fn route(&self, method: &str, path: &str) -> &ServedRoute {
        let route = match self.router.find(method, path) {
            Outcome::Match { route } => self.routes.get(route.0),
            Outcome::Missing => Some(&self.missing),
            _ => None,
        };
        route.unwrap_or(&self.fallback)
    }
}

/// A component without a manifest gets one pool and does its own routing.
fn unknown_app() -> Manifest {
    Manifest {
        format: manifest::FORMAT,
        target: String::new(),
        kind: manifest::AppKind::Asgi,
        framework: None,
        sdk: String::new(),
        python: String::new(),
        builder: String::new(),
        uses_postgres: false,
        isolation: Isolation::App,
        server: std::collections::BTreeMap::new(),
        routes: Vec::new(),
        packages: std::collections::BTreeMap::new(),
        answers: None,
        layers: None,
        environment_read: std::collections::BTreeMap::new(),
    }
}

/// A pool key for each route. Routes that share state have the fallback's.
fn keys(manifest: &Manifest, fallback: &PoolKey) -> Vec<PoolKey> {
    let keys = manifest.routes.iter().enumerate();
    let keys = keys.map(|(index, route)| match shares_state(manifest, route) {
        true => fallback.clone(),
        false => PoolKey { index: index + 1, name: name(route) },
    });
    keys.collect()
}

/// Whether a route's instances are those of other routes, too.
pub(crate) fn shares_state(manifest: &Manifest, route: &manifest::Route) -> bool {
    [manifest.isolation, route.isolation].contains(&Isolation::App)
}

fn name(route: &manifest::Route) -> Arc<str> {
    let methods = if route.methods.is_empty() { "*".to_owned() } else { route.methods.join("|") };
    format!("{methods} {}", route.path).into()
}

/// How plain HTTP sees a route.
const fn pattern_kind(kind: ManifestKind) -> RouteKind {
    match kind {
        ManifestKind::Http => RouteKind::Route,
        ManifestKind::Websocket => RouteKind::WebSocket,
        ManifestKind::Mount => RouteKind::Mount,
        _ => RouteKind::Opaque,
    }
}

/// The routes for a router that sees each as `kind` says.
pub(crate) fn patterns(
    manifest: &Manifest,
    kind: fn(ManifestKind) -> RouteKind,
) -> impl Iterator<Item = RoutePattern<'_>> {
    let routes = manifest.routes.iter();
    routes.map(move |route| RoutePattern {
        pattern: &route.path,
        methods: &route.methods,
        kind: kind(route.kind),
    })
}

/// The pattern of a route, whatever its methods.
fn any_method(pattern: RoutePattern<'_>) -> RoutePattern<'_> {
    RoutePattern { methods: &[], ..pattern }
}
