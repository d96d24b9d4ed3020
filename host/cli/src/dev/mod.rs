//! `fasterapi-host dev`: builds, serves, watches, and puts each change live.
//!
//! The contract: the port is taken once and connections last through every change. A good build takes over new
//! requests, while those in flight finish where they began ([`Platform::swap`](fasterapi_platform::Platform::swap)).
//! A build that fails, or an app that does not start, leaves the version before it serving; its traceback is in the
//! terminal and, for browsers, the page ([`gateway`]). A change during a build is built next.

mod gateway;
mod report;
mod trouble;
mod watch;
mod workshop;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use fasterapi_builder::Target;
use fasterapi_edge::{Compression, Edge, EdgeConfig, Shutdown};
use tokio::task::JoinSet;

use crate::{
    args::DevArgs,
    config::HostConfig,
    environment::variables,
    exit::Failure,
    serve::{Ends, begin_log},
    server::{DEFAULT_ADDR, ServerConfig, address, cannot_listen},
};
use gateway::DevGateway;
use report::{Place, Summary};
use watch::Sources;
use workshop::{Made, Workshop};

/// How long requests in flight may take to finish at the end: a developer waits for the prompt.
const DRAIN: Duration = Duration::from_secs(5);

pub(crate) fn run(args: DevArgs) -> Result<(), Failure> {
    begin_log(&args.log, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let ended = runtime.block_on(dev(args));
    // A build that is under way is left to itself.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn dev(args: DevArgs) -> Result<(), Failure> {
    let mut ends = Ends::listen()?;
    let target: Target = args.target.parse().map_err(Failure::input)?;
    let folder = folder(&args.dir)?;
    let databases = args.config.as_deref().map(HostConfig::read).transpose()?.unwrap_or_default();
    let addr = address(args.addr, SocketAddr::from(DEFAULT_ADDR))?;
    let drain_deadline = DRAIN;
    let edge = EdgeConfig { compression: Compression::Off, drain_deadline, ..EdgeConfig::default() };
    let gateway = Arc::new(DevGateway::new());
    let edge = Edge::bind(addr, edge, Arc::clone(&gateway)).map_err(cannot_listen)?;
    let addr = edge.local_addr();
    let mut sources = Sources::watch(&folder)?;
    let mut config = ServerConfig {
        databases,
        database: args.pg,
        environment: variables(args.env_file.as_deref(), args.env)?,
        isolation: args.isolation.map(Into::into),
        ..ServerConfig::new(&folder)
    };
    config.pool.max_instances = args.max_instances;
    let mut workshop = Workshop::open(addr, target, folder.clone(), args.find_links, config)?;
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(edge.serve(shutdown.clone()));
    let mut shop = Shop { gateway, retiring: JoinSet::new() };
    tokio::select! {
        () = shop.keep(&mut workshop, &mut sources, Place { addr, folder: &folder }) => {}
        () = ends.next() => {}
    }
    tokio::spawn(async move {
        shutdown.begin();
        ends.next().await;
        shutdown.force();
    });
    let _ = serving.await;
    shop.close().await;
    workshop.close().await;
    Ok(())
}

fn folder(dir: &Path) -> Result<std::path::PathBuf, Failure> {
    let at = dir.display();
    let folder = dir.canonicalize().map_err(|error| Failure::input(format!("cannot read {at}: {error}")))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Failure::input(format!("{at}: not a folder\nhint: -C names the folder of the app")))
}

/// What is on show, and the versions before it that still have requests.
struct Shop {
    gateway: Arc<DevGateway>,
    retiring: JoinSet<()>,
}

impl Shop {
    /// Never ends.
    async fn keep(&mut self, workshop: &mut Workshop, sources: &mut Sources, place: Place<'_>) {
        let mut first = Some(place);
        loop {
            match workshop.make().await {
                Ok(made) => {
                    let news = made.map(|made| self.put_live(made));
                    report::live(first.take(), news.as_ref(), self.gateway.mend());
                }
                Err(trouble) => {
                    let served = self.gateway.break_with(&trouble);
                    report::broken(first.take(), &trouble, served);
                }
            }
            report::changed(&sources.changed().await);
            while self.retiring.try_join_next().is_some() {}
        }
    }

    fn put_live(&mut self, made: Made) -> Summary {
        let summary = Summary::of(&made);
        if let Some(retiring) = self.gateway.put_live(made) {
            self.retiring.spawn(retiring);
        }
        summary
    }

    /// Ends the app in all its versions; those of before at once.
    async fn close(&mut self) {
        if let Some(platform) = self.gateway.platform() {
            let _ = tokio::time::timeout(DRAIN, platform.drained()).await;
            platform.close().await;
        }
        self.retiring.shutdown().await;
    }
}
