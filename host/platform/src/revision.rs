//! A revision: one component and its manifest, immutable, with the pools that serve it.

use std::sync::Arc;

use fasterapi_core::manifest::{self, Isolation, Manifest, ManifestError, RouteKind as ManifestKind};
use fasterapi_router::{Outcome, RouteKind, RoutePattern, Router, decode_path};
use fasterapi_runtime::{
    Engine, Grants, ImageCache, InstanceLimits, LoadError, MakeError, Pool, PoolLimits, Template, WarmMaker,
};

/// How an app is run.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// What its instances may use.
    pub grants: Grants,
    /// The bounds of each instance.
    pub instance: InstanceLimits,
    /// The bounds of its pool.
    pub pool: PoolLimits,
    /// Requests that one instance serves before it is replaced. 1: each request sees the app as it started.
    pub max_reuse: u64,
}

/// A component that serves.
pub struct Revision {
    manifest: Manifest,
    router: Router,
    /// The pool key of each route of the manifest.
    keys: Vec<usize>,
    names: Vec<Arc<str>>,
    pool: Arc<Pool<WarmMaker>>,
}

/// Why a component cannot become a revision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its manifest is missing or wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its first instance did not start.
    #[error(transparent)]
    Start(#[from] MakeError),
}

/// The key of the pool that serves what no route certainly matches: the guest's own router answers there.
const FALLBACK: usize = 0;

impl Revision {
    /// Loads `component` and shows that it starts. `compiling` is called before it is compiled, which takes seconds.
    ///
    /// # Errors
    /// When it is no component that this host serves, or its start-up fails.
    pub async fn load(
        engine: &Engine,
        images: &ImageCache,
        component: &[u8],
        options: AppOptions,
        compiling: impl FnOnce(),
    ) -> Result<Self, RevisionError> {
        let image = images.load(engine, component, compiling)?;
        let manifest = manifest::read(component)?.unwrap_or_else(unknown_app);
        let template = Template::new(engine, &image, options.grants, options.instance)?;
        let (keys, names) = keys(&manifest);
        let maker = WarmMaker::new(Arc::new(template), options.max_reuse);
        let pool = Pool::new(maker, names.len(), options.pool);
        pool.warm_up().await?;
        Ok(Self { router: Router::new(patterns(&manifest)), manifest, keys, names, pool })
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

    /// The pool key for a request, and its name.
    pub(crate) fn route(&self, method: &str, path: &str) -> (usize, &Arc<str>) {
        let key = match self.router.find(method, &decode_path(path)) {
            Outcome::Match { route } => self.keys.get(route.0).copied().unwrap_or(FALLBACK),
            _ => FALLBACK,
        };
        (key, self.names.get(key).unwrap_or(&self.names[FALLBACK]))
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
    }
}

/// A pool key for each route, and a name for each key. Routes that share state share the fallback's key.
fn keys(manifest: &Manifest) -> (Vec<usize>, Vec<Arc<str>>) {
    let mut names: Vec<Arc<str>> = vec!["*".into()];
    let mut key = |route: &manifest::Route| {
        if manifest.isolation == Isolation::App || route.isolation == Isolation::App {
            return FALLBACK;
        }
        names.push(name(route));
        names.len() - 1
    };
    let keys = manifest.routes.iter().map(&mut key).collect();
    (keys, names)
}

fn name(route: &manifest::Route) -> Arc<str> {
    let methods = if route.methods.is_empty() { "*".to_owned() } else { route.methods.join("|") };
    format!("{methods} {}", route.path).into()
}

fn patterns(manifest: &Manifest) -> impl Iterator<Item = RoutePattern<'_>> {
    let kind = |kind| match kind {
        ManifestKind::Http => RouteKind::Route,
        ManifestKind::Websocket => RouteKind::WebSocket,
        ManifestKind::Mount => RouteKind::Mount,
        _ => RouteKind::Opaque,
    };
    let routes = manifest.routes.iter();
    routes.map(move |route| RoutePattern { pattern: &route.path, methods: &route.methods, kind: kind(route.kind) })
}
