//! From the sources as they are to a revision that has started.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use fasterapi_builder::{Builder, Cache, Draft, Event, Target};
use fasterapi_core::manifest::Manifest;
use fasterapi_edge::Compression;
use fasterapi_platform::{AppOptions, Revision, Serving};
use fasterapi_runtime::{Engine, Files, Image, ImageCache, MakeError, Template};

use super::trouble::Trouble;
use crate::{
    database::Databases,
    exit::Failure,
    output,
    server::{AppSays, ServerConfig, app_options, cache_folder, read, wanted},
    status::StatusSocket,
};

/// What making a revision needs and keeps between two changes.
pub(crate) struct Workshop {
    builder: Builder,
    addr: SocketAddr,
    target: Target,
    folder: PathBuf,
    config: ServerConfig,
    engine: Engine,
    images: ImageCache,
    /// The compiled packages, under the name of their content.
    packages: Option<(String, Image)>,
    databases: Option<Databases>,
    /// Tells `pg status` of them.
    status: Option<StatusSocket>,
    /// Whether they were opened for an app that uses Postgres.
    lent: bool,
    /// Names what was made last.
    last: Option<String>,
    /// What its author was told of it.
    told: Vec<String>,
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
    /// Reading the sources, where the component of their packages is the one of the version before.
    pub(crate) read: Duration,
    /// Reading them, and finding or building that component.
    pub(crate) build: Duration,
    /// Compiling that component.
    pub(crate) compile: Duration,
    /// Importing the app.
    pub(crate) import: Duration,
    /// Opening its databases, and starting its first instances.
    pub(crate) start: Duration,
}

type Step<T> = Result<T, Arc<Trouble>>;

impl Workshop {
    /// For a server that listens at `addr`.
    pub(crate) fn open(
        addr: SocketAddr,
        target: Target,
        folder: PathBuf,
        find_links: Vec<String>,
        config: ServerConfig,
    ) -> Result<Self, Failure> {
        Ok(Self {
            builder: Builder::new(Cache::open().map_err(Failure::other)?).with_links(find_links),
            addr,
            target,
            config: ServerConfig { component: folder.clone(), ..config },
            folder,
            engine: Engine::new().map_err(Failure::other)?,
            images: ImageCache::open(&cache_folder()?.join("images")).map_err(Failure::other)?,
            packages: None,
            databases: None,
            status: None,
            lent: false,
            last: None,
            told: Vec::new(),
        })
    }

    /// Makes what the sources say now. None: it is what was made last. Dropped, a build that is under way goes on and
    /// counts for nothing.
    pub(crate) async fn make(&mut self) -> Step<Option<Made>> {
        let mut clock = Clock::start();
        let draft = self.draft().await?;
        if self.last.as_ref() == Some(&draft.key) {
            return Ok(None);
        }
        let drafted = clock.lap();
        let has_packages = self.packages.as_ref().is_some_and(|(key, _)| *key == draft.component_key);
        let (read, build) = if has_packages { (drafted, Duration::ZERO) } else { (Duration::ZERO, drafted) };
        let image = self.compile(&draft).await?;
        let compile = clock.lap();
        let draft = Arc::new(draft);
        let manifest = self.import(&image, &draft).await?;
        let import = clock.lap();
        let (revision, compression) = self.start(&image, &draft, manifest).await?;
        self.last = Some(draft.key.clone());
        let times = Times { read, build, compile, import, start: clock.lap() };
        Ok(Some(Made { revision, compression, times }))
    }

    /// Closes the databases.
    pub(crate) async fn close(self) {
        if let Some(databases) = self.databases {
            databases.close().await;
        }
    }

    async fn draft(&self) -> Step<Draft> {
        let (builder, target, folder) = (self.builder.clone(), self.target.clone(), self.folder.clone());
        let draft = move || builder.draft(&target, &folder, &output::progress);
        tokio::task::spawn_blocking(draft).await.map_err(trouble)?.map_err(trouble)
    }

    /// The draft's packages, compiled.
    async fn compile(&mut self, draft: &Draft) -> Step<Image> {
        if let Some((_, image)) = self.packages.as_ref().filter(|(key, _)| *key == draft.component_key) {
            return Ok(image.clone());
        }
        let (images, engine, path) = (self.images.clone(), self.engine.clone(), draft.component.clone());
        let compile = move || images.load(&engine, &read(&path).map_err(trouble)?, || {}).map_err(trouble);
        let image = tokio::task::spawn_blocking(compile).await.map_err(trouble)??;
        self.packages = Some((draft.component_key.clone(), image.clone()));
        Ok(image)
    }

    /// Imports the app into an instance that serves nothing, to know what it is, and tells what is new to its author.
    async fn import(&mut self, image: &Image, draft: &Arc<Draft>) -> Step<Manifest> {
        let options = self.options(self.lent, draft).await?;
        let report = match self.template(image, &draft.description, options)?.0.describe().await {
            Ok(report) | Err(MakeError::Import(report)) => report,
            Err(error) => return Err(trouble(error)),
        };
        let (manifest, warnings) = draft.manifest(&report).map_err(trouble)?;
        let news = warnings.iter().filter(|warning| !self.told.contains(warning));
        news.for_each(|warning| output::progress(Event::Notice(warning)));
        self.told = warnings;
        Ok(self.config.isolated(manifest))
    }

    async fn start(
        &mut self,
        image: &Image,
        draft: &Arc<Draft>,
        manifest: Manifest,
    ) -> Step<(Arc<Revision>, Compression)> {
        let said = AppSays::of(Some(&manifest));
        let options = self.options(self.lent || said.uses_postgres, draft).await?;
        let (template, serving) = self.template(image, &draft.config, options)?;
        let revision = Revision::start(template, Some(manifest), serving).await;
        Ok((Arc::new(revision.map_err(trouble)?), said.compression()))
    }

    /// How the app is run, with its databases open.
    async fn options(&mut self, lends: bool, draft: &Arc<Draft>) -> Step<AppOptions> {
        let wanted = wanted(self.config.databases.clone(), self.config.database.clone(), lends);
        if self.databases.is_none() || lends != self.lent {
            // What was open before lent nothing: no app used it.
            let open = Databases::open(&wanted).await.map_err(trouble)?;
            self.lent = lends;
            self.status = None; // whose socket has the same name
            let app = format!("{} in {}", self.target, self.folder.display());
            self.status = StatusSocket::open(&app, self.addr, open.registry());
            if let Some(before) = self.databases.replace(open) {
                before.close().await;
            }
        }
        let Some(databases) = &self.databases else { return Err(trouble("the databases are gone")) };
        let files =
            Files::of([(1, draft.files.path().to_owned()), (2, draft.packages.clone())], Arc::clone(draft));
        let mut options = app_options(&self.config, databases, &wanted, files);
        options.serving.docs = Arc::clone(&draft.docs);
        Ok(options)
    }

    fn template(&self, image: &Image, config: &str, options: AppOptions) -> Step<(Template, Serving)> {
        let AppOptions { grants, instance, serving } = options;
        let template = Template::draft(&self.engine, image, config.to_owned(), grants, instance);
        Ok((template.map_err(trouble)?, serving))
    }
}

/// Times one step after another.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last step.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

fn trouble(error: impl std::fmt::Display) -> Arc<Trouble> {
    Arc::new(Trouble::new(error))
}
