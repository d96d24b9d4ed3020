//! From the sources as they are to a revision that has started.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use fasterapi_builder::{BuildRequest, Builder, Built, Cache, Target};
use fasterapi_core::manifest::Manifest;
use fasterapi_edge::Compression;
use fasterapi_platform::Revision;
use fasterapi_runtime::{Engine, ImageCache};
use tempfile::TempDir;

use super::trouble::Trouble;
use crate::{
    database::Databases,
    exit::Failure,
    output,
    server::{AppSays, ServerConfig, app_options, cache_folder, read, wanted},
};

/// What making a revision needs and keeps between two changes.
pub(crate) struct Workshop {
    builder: Builder,
    request: BuildRequest,
    config: ServerConfig,
    engine: Engine,
    images: ImageCache,
    databases: Option<Databases>,
    /// Whether they were opened for an app that uses Postgres.
    lent: bool,
    last: Option<Built>,
    /// Holds the component while it is read.
    _scratch: TempDir,
}

/// A version of the app, ready to serve.
pub(crate) struct Made {
    pub(crate) revision: Arc<Revision>,
    pub(crate) compression: Compression,
    pub(crate) times: Times,
}

/// Where the time went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) build: Duration,
    pub(crate) compile: Duration,
    pub(crate) start: Duration,
}

type Step<T> = Result<T, Arc<Trouble>>;

impl Workshop {
    pub(crate) fn open(target: Target, folder: PathBuf, config: ServerConfig) -> Result<Self, Failure> {
        let scratch = tempfile::tempdir().map_err(Failure::other)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output = scratch.path().join(format!("{name}.wasm"));
        Ok(Self {
            builder: Builder::new(Cache::open().map_err(Failure::other)?),
            config: ServerConfig { component: output.clone(), ..config },
            request: BuildRequest { target, dir: folder, output },
            engine: Engine::remembering().map_err(Failure::other)?,
            images: ImageCache::open(&cache_folder()?.join("images")).map_err(Failure::other)?,
            databases: None,
            lent: false,
            last: None,
            _scratch: scratch,
        })
    }

    /// Makes what the sources say now. None: it is what was made last. Dropped, the build goes on and counts for
    /// nothing.
    pub(crate) async fn make(&mut self) -> Step<Option<Made>> {
        let begun = Instant::now();
        let built = self.build().await?;
        if self.last.as_ref().is_some_and(|last| last.key == built.key) {
            return Ok(None);
        }
        let component: Arc<[u8]> = read(&built.path).map_err(trouble)?.into();
        let build = begun.elapsed();
        self.compile(Arc::clone(&component)).await?;
        let compile = begun.elapsed() - build;
        let (revision, compression) = self.start(&component, built.manifest.clone()).await?;
        let start = begun.elapsed() - build - compile;
        // Only the last one is likely to be asked for again.
        if let Some(last) = self.last.replace(built).filter(|last| !last.cached) {
            self.builder.forget(&last);
        }
        Ok(Some(Made { revision, compression, times: Times { build, compile, start } }))
    }

    /// Closes the databases.
    pub(crate) async fn close(self) {
        if let Some(databases) = self.databases {
            databases.close().await;
        }
    }

    async fn build(&self) -> Step<Built> {
        let (builder, request) = (self.builder.clone(), self.request.clone());
        let build = move || builder.build(&request, &output::progress);
        tokio::task::spawn_blocking(build).await.map_err(trouble)?.map_err(trouble)
    }

    async fn compile(&self, component: Arc<[u8]>) -> Step<()> {
        let (images, engine) = (self.images.clone(), self.engine.clone());
        let compile = move || images.load(&engine, &component, || {}).map(drop);
        tokio::task::spawn_blocking(compile).await.map_err(trouble)?.map_err(trouble)
    }

    async fn start(&mut self, component: &[u8], manifest: Manifest) -> Step<(Arc<Revision>, Compression)> {
        let said = AppSays::of(Some(&manifest));
        let choice = said.compression();
        let lends = self.lent || said.uses_postgres;
        let wanted = wanted(self.config.databases.clone(), self.config.database.clone(), lends);
        if self.databases.is_none() || lends != self.lent {
            // What was open before lent nothing: no app used it.
            let open = Databases::open(&wanted).await.map_err(trouble)?;
            self.lent = lends;
            if let Some(before) = self.databases.replace(open) {
                before.close().await;
            }
        }
        let Some(databases) = &self.databases else { return Err(trouble("the databases are gone")) };
        let options = app_options(&self.config, databases, &wanted);
        let manifest = Some(manifest);
        let revision = Revision::load(&self.engine, &self.images, component, manifest, options, || {}).await;
        Ok((Arc::new(revision.map_err(trouble)?), choice))
    }
}

fn trouble(error: impl std::fmt::Display) -> Arc<Trouble> {
    Arc::new(Trouble::new(error))
}
