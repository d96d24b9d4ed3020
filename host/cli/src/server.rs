//! The composition root: one app, served.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fasterapi_capabilities::postgres::PostgresGrants;
use fasterapi_core::{
    TenantId, docs, files,
    manifest::{self, Isolation, Manifest},
};
use fasterapi_edge::{BindError, Bound, Compression, DrainReport, Edge, EdgeConfig, Shutdown};
use fasterapi_platform::{AppOptions, Platform, Revision, Serving};
use fasterapi_runtime::{Engine, FileCache, Files, Grants, ImageCache, InstanceLimits, PoolLimits};

use crate::{
    args::{CompressionChoice, LaneChoice},
    config::HostConfig,
    database::{DatabaseChoice, Databases},
    exit::Failure,
    status::StatusSocket,
};

/// What a server is made of.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The component's file.
    pub component: PathBuf,
    /// Where to listen. None: what the app says, else `127.0.0.1:8000`.
    pub addr: Option<SocketAddr>,
    /// The app's databases, as the configuration file says.
    pub databases: HostConfig,
    /// The app's default database, whatever the file says. None, and none in the file: `DATABASE_URL`, else the
    /// embedded server where the app uses Postgres.
    pub database: Option<DatabaseChoice>,
    /// The app's environment.
    pub environment: Vec<(String, String)>,
    /// Which requests may share an instance. None: as the app says.
    pub isolation: Option<Isolation>,
    /// The bounds of each instance.
    pub instance: InstanceLimits,
    /// The bounds of the pool.
    pub pool: PoolLimits,
    /// Requests that an instance serves.
    pub max_reuse: u64,
    /// WebSockets that an instance serves at a time.
    pub max_websockets: usize,
    /// The edge. Its protocols and compression give way to what the app says.
    pub edge: EdgeConfig,
    /// Whether responses are compressed.
    pub compression: CompressionChoice,
    /// Which lane serves a route.
    pub lane: LaneChoice,
}

impl ServerConfig {
    /// The defaults, for `component`.
    #[must_use]
    pub fn new(component: &Path) -> Self {
        Self {
            component: component.to_owned(),
            addr: None,
            databases: HostConfig::default(),
            database: None,
            environment: Vec::new(),
            isolation: None,
            instance: InstanceLimits::default(),
            pool: PoolLimits::default(),
            max_reuse: MAX_REUSE,
            max_websockets: 1000,
            edge: EdgeConfig::default(),
            compression: CompressionChoice::default(),
            lane: LaneChoice::default(),
        }
    }

    /// What the app says of itself, with the isolation that the operator wants.
    pub(crate) fn isolated(&self, mut manifest: Manifest) -> Manifest {
        if let Some(isolation) = self.isolation {
            manifest.isolate(isolation);
        }
        manifest
    }
}

/// A server whose app has started and whose port is open.
pub struct Server {
    edge: Edge<Platform>,
    platform: Arc<Platform>,
    databases: Databases,
    drain_deadline: Duration,
    _status: Option<StatusSocket>,
}

/// Requests that an instance serves, if nothing else is said. componentize-py 0.25.1 loses 16 bytes at each call of the
/// compiled lane, and apps lose some of their own: so an instance's memory is bounded, at 5 ms of a core now and then.
pub(crate) const MAX_REUSE: u64 = 20_000;

pub(crate) const DEFAULT_ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 8000);

impl Server {
    /// Starts everything that a request needs: the port is taken, the database answers, the app's first instance has
    /// started; last, the port opens. Nothing is served yet. `compiling` is told when the component must be compiled first.
    ///
    /// # Errors
    /// At the first thing at fault; what was started before it ends again.
    pub async fn start(config: ServerConfig, compiling: impl FnOnce()) -> Result<Self, Failure> {
        let component = read(&config.component)?;
        let at = config.component.display();
        let manifest =
            manifest::read(&component).map_err(|error| Failure::input(format!("{at}: {error}")))?;
        let manifest = manifest.map(|manifest| config.isolated(manifest));
        let said = AppSays::of(manifest.as_ref());
        frozen(manifest.as_ref(), &config.environment).iter().for_each(|line| tracing::warn!("{line}"));
        let (addr, edge) = edge(&config, &said)?;
        let bound = Bound::new(addr).map_err(cannot_listen)?;
        let wanted = wanted(config.databases.clone(), config.database.clone(), said.uses_postgres);
        let databases = Databases::open(&wanted).await?;
        let files = brought(&component).map_err(|error| Failure::input(format!("{at}: {error}")))?;
        let docs = docs::read(&component).map_err(|error| Failure::input(format!("{at}: {error}")))?;
        let mut options = app_options(&config, &databases, &wanted, files);
        options.serving.docs = Arc::new(docs.unwrap_or_default());
        let engine = Engine::new().map_err(Failure::other)?;
        let images = ImageCache::open(&cache_folder()?.join("images")).map_err(Failure::other)?;
        let revision = Revision::load(&engine, &images, &component, manifest, options, compiling).await;
        let revision = revision.map_err(|error| Failure::input(format!("{at}: {error}")))?;
        let platform = Arc::new(Platform::new(Arc::new(revision)));
        let drain_deadline = edge.drain_deadline;
        let edge = Edge::new(bound, edge, Arc::clone(&platform)).map_err(cannot_listen)?;
        let status = StatusSocket::open(&at.to_string(), edge.local_addr(), databases.registry());
        Ok(Self { edge, platform, databases, drain_deadline, _status: status })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.edge.local_addr()
    }

    /// The app's platform, for a look at its pools.
    #[must_use]
    pub fn platform(&self) -> Arc<Platform> {
        Arc::clone(&self.platform)
    }

    /// Serves until `shutdown` has drained it, background work included, then ends the app and its databases.
    pub async fn run(self, shutdown: Shutdown) -> DrainReport {
        let report = self.edge.serve(shutdown.clone()).await;
        tokio::select! {
            () = self.platform.drained() => {}
            () = shutdown.forced() => {}
            () = tokio::time::sleep(self.drain_deadline) => {
                tracing::warn!("background work was cut: it did not finish within {:?}", self.drain_deadline);
            }
        }
        self.platform.close().await;
        self.databases.close().await;
        report
    }
}

/// A line for each given variable that the app read while it was built, where it was not.
fn frozen(manifest: Option<&Manifest>, given: &[(String, String)]) -> Vec<String> {
    let Some(read) = manifest.map(|manifest| &manifest.environment_read) else { return Vec::new() };
    let named = given.iter().filter_map(|(name, _)| Some((name.as_str(), read.get(name)?)));
    let all = read.get("*").filter(|_| !given.is_empty()).map(|place| ("the whole environment", place));
    let line = |(what, place)| {
        format!("{what} was read while the app was built ({place}): giving it now changes nothing there")
    };
    named.chain(all).map(line).collect()
}

/// How the app of `config` is run, with the databases that `wanted` names.
pub(crate) fn app_options(
    config: &ServerConfig,
    databases: &Databases,
    wanted: &HostConfig,
    files: Files,
) -> AppOptions {
    let grants = Grants {
        app: name(&config.component).into(),
        environment: config.environment.clone(),
        files,
        postgres: Arc::new(PostgresGrants {
            databases: databases.registry(),
            tenant: TenantId::default(),
            terms: wanted.terms(),
        }),
    };
    AppOptions {
        grants,
        instance: config.instance.clone(),
        serving: Serving {
            pool: config.pool.clone(),
            max_reuse: config.max_reuse,
            max_websockets: config.max_websockets,
            compiled_lane: config.lane == LaneChoice::Auto,
            docs: Arc::default(),
        },
    }
}

/// The files that the app in `component` brings along, unpacked.
pub(crate) fn brought(component: &[u8]) -> Result<Files, Failure> {
    let Some(archive) = files::read(component).map_err(Failure::input)? else { return Ok(Files::default()) };
    let cache = FileCache::open(&cache_folder()?.join("files")).map_err(Failure::other)?;
    cache.unpack(archive).map_err(Failure::input)
}

/// What a manifest asks of the server.
#[derive(Default)]
pub(crate) struct AppSays {
    pub(crate) uses_postgres: bool,
    host: Option<String>,
    port: Option<u16>,
    h2: Option<bool>,
    compression: Option<bool>,
}

impl AppSays {
    pub(crate) fn of(manifest: Option<&Manifest>) -> Self {
        let Some(manifest) = manifest else { return Self::default() };
        let value = |name: &str| manifest.server.get(name);
        let flag = |name: &str| value(name).and_then(serde_json::Value::as_bool);
        Self {
            uses_postgres: manifest.uses_postgres,
            host: value("host").and_then(serde_json::Value::as_str).map(str::to_owned),
            port: value("port").and_then(serde_json::Value::as_u64).and_then(|port| port.try_into().ok()),
            h2: flag("enable_h2"),
            compression: flag("compression"),
        }
    }

    /// Whether the app asks for compression: by itself it gets none.
    pub(crate) fn compression(&self) -> Compression {
        if self.compression == Some(true) { Compression::On } else { Compression::Off }
    }

    /// A name that is no address is ignored: a component does not make its host look names up.
    fn addr(&self) -> SocketAddr {
        let (host, port) = DEFAULT_ADDR;
        let host = self.host.as_deref().and_then(|host| host.parse().ok()).unwrap_or_else(|| host.into());
        SocketAddr::new(host, self.port.unwrap_or(port))
    }
}

pub(crate) fn wanted(
    databases: HostConfig,
    database: Option<DatabaseChoice>,
    uses_postgres: bool,
) -> HostConfig {
    match database {
        Some(choice) => databases.with_default(choice),
        None if databases.databases.is_empty() => {
            databases.with_default(DatabaseChoice::default_for(uses_postgres))
        }
        None => databases,
    }
}

fn edge(config: &ServerConfig, said: &AppSays) -> Result<(SocketAddr, EdgeConfig), Failure> {
    let mut edge = config.edge.clone();
    edge.protocols.h2 = said.h2.unwrap_or(edge.protocols.h2);
    edge.compression = match config.compression {
        CompressionChoice::App => said.compression(),
        CompressionChoice::On => Compression::On,
        CompressionChoice::Off => Compression::Off,
    };
    Ok((address(config.addr, said.addr())?, edge))
}

pub(crate) fn cannot_listen(error: BindError) -> Failure {
    Failure::input(format!("{error}: {}", error.source))
}

/// Where to listen: as the operator says, else as `PORT` does, else at `default`.
pub(crate) fn address(said: Option<SocketAddr>, default: SocketAddr) -> Result<SocketAddr, Failure> {
    if let Some(addr) = said {
        return Ok(addr);
    }
    let port = std::env::var_os("PORT").filter(|port| !port.is_empty());
    port.map_or(Ok(default), |port| on_all_addresses(&port.to_string_lossy()))
}

/// What `PORT` means, as platforms set it. 0 is any free port.
fn on_all_addresses(port: &str) -> Result<SocketAddr, Failure> {
    let number = port.parse::<u16>().map_err(|_| {
        let text = port.escape_default();
        Failure::input(format!("PORT is `{text}`, which is no port: give a number from 1 to 65535"))
    })?;
    Ok(([0, 0, 0, 0], number).into())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let at = path.display();
    std::fs::read(path).map_err(|error| Failure::input(format!("cannot read {at}: {error}")))
}

fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "app".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

pub(crate) fn cache_folder() -> Result<PathBuf, Failure> {
    let cache = fasterapi_builder::Cache::open().map_err(Failure::other)?;
    Ok(cache.root().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_none_is_refused() {
        assert_eq!(on_all_addresses("8080").unwrap(), ([0, 0, 0, 0], 8080).into());
        for text in ["abc", "65536", "-1", "80 ", "127.0.0.1:80"] {
            let failure = on_all_addresses(text).unwrap_err();
            let message = format!("PORT is `{text}`, which is no port: give a number from 1 to 65535");
            assert_eq!((failure.code(), failure.to_string()), (2, message));
        }
    }

    #[test]
    fn a_variable_that_came_too_late_is_named() {
        let given = [("JWT_SECRET".into(), "x".into()), ("OTHER".into(), "x".into())];
        let json =
            br#"{"format":3,"target":"a:b","kind":"asgi","environment_read":{"JWT_SECRET":"main.py:3"}}"#;
        let manifest = Manifest::from_json(json).unwrap();
        let line =
            "JWT_SECRET was read while the app was built (main.py:3): giving it now changes nothing there";
        assert_eq!(frozen(Some(&manifest), &given), [line]);
        assert!(frozen(Some(&manifest), &given[1..]).is_empty() && frozen(None, &given).is_empty());
        let all = br#"{"format":3,"target":"a:b","kind":"asgi","environment_read":{"*":"main.py:5"}}"#;
        let manifest = Manifest::from_json(all).unwrap();
        assert_eq!((frozen(Some(&manifest), &given).len(), frozen(Some(&manifest), &[]).len()), (1, 0));
    }

    #[test]
    fn what_the_operator_says_goes_before_the_default() {
        let (said, default) = (([127, 0, 0, 1], 9000).into(), DEFAULT_ADDR.into());
        assert_eq!(address(Some(said), default).unwrap(), said);
    }
}
