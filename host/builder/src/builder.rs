//! From a project folder to a component with its manifest.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fasterapi_core::manifest::{self, Manifest};
use fasterapi_core::{docs, files as core_files};

use crate::cache::{Cache, Key, KeyMaker, create_folder};
use crate::component::copy_tree;
use crate::dependencies::{self, Site};
use crate::progress::step;
use crate::project::Project;
use crate::requirements::Requirements;
use crate::sdk::{Config, Run, SdkResult, VERSION};
use crate::toolchain::Toolchain;
use crate::wheels::{self, Recipe, Wheels};
use crate::{BuildError, Event, Progress, Target, assets, docs_assets, files, prelink};

const COMPONENT: &str = "app.wasm";

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The app.
    pub target: Target,
    /// The project's folder; only read.
    pub dir: PathBuf,
    /// Where the component goes; replaced whole or not at all.
    pub output: PathBuf,
}

/// A finished component.
#[derive(Debug, Clone)]
pub struct Built {
    /// Where it is.
    pub path: PathBuf,
    /// What its custom section says.
    pub manifest: Manifest,
    /// The component's size in bytes.
    pub bytes: u64,
    /// Whether it came out of the cache as it was.
    pub cached: bool,
}

/// Builds components; a handle on the cache that everything is kept in.
#[derive(Debug, Clone)]
pub struct Builder {
    cache: Cache,
    links: Vec<String>,
}

impl Builder {
    /// A builder that keeps everything in `cache`.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self { cache, links: Vec::new() }
    }

    /// The same, with folders and addresses that have wheels for the guest (pip's `--find-links`): of packages that no
    /// index has for it, and of those that would be built here.
    #[must_use]
    pub fn with_links(self, links: Vec<String>) -> Self {
        Self { links, ..self }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The recipes' wheels, with what this builder has to make them.
    pub(crate) fn wheels<'a>(&'a self, toolchain: &'a Toolchain, progress: &'a dyn Progress) -> Wheels<'a> {
        Wheels { cache: &self.cache, toolchain, links: &self.links, progress }
    }

    /// Feeds all that decides which wheels there are into a key.
    pub(crate) fn add_wheels_to(&self, key: &mut KeyMaker) -> Result<(), BuildError> {
        wheels::add_to(key, &self.links)
    }

    /// The Debian packages to install before [`Builder::prepare`] can work.
    ///
    /// # Errors
    /// None of this machine: only a malformed recipe.
    pub fn missing_packages(&self) -> Result<Vec<&'static str>, BuildError> {
        let mut packages = Toolchain::missing_packages();
        packages.extend(wheels::missing_packages(&self.cache, &prepared()?)?);
        Ok(packages)
    }

    /// Makes the Python environment and the wheel of pydantic-core, if they are not there: minutes on a new machine. A
    /// build does it when it needs them.
    ///
    /// # Errors
    /// A tool is missing or failed, or the package index did not answer.
    pub fn prepare(&self, progress: &dyn Progress) -> Result<(), BuildError> {
        self.made(&prepared()?, progress).map(drop)
    }

    /// Makes every wheel that there is a recipe for, and gives their folders.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn all_wheels(&self, progress: &dyn Progress) -> Result<Vec<PathBuf>, BuildError> {
        self.made(&Recipe::all()?, progress)
    }

    /// Compiles anew the module that makes a snapshot's objects immortal (`guest-sdk/snapshot`). The binary carries the
    /// one that stands beside its source.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn snapshot_module(&self, progress: &dyn Progress) -> Result<Vec<u8>, BuildError> {
        let toolchain = Toolchain::ensure(&self.cache, progress)?;
        self.wheels(&toolchain, progress).snapshot_module()
    }

    fn made(&self, recipes: &[Recipe], progress: &dyn Progress) -> Result<Vec<PathBuf>, BuildError> {
        let toolchain = Toolchain::ensure(&self.cache, progress)?;
        let wheels = self.wheels(&toolchain, progress);
        recipes.iter().map(|recipe| wheels.ensure(recipe)).collect()
    }

    /// Builds a component. Blocks for some 20 seconds, longer the first time; copies the finished one when
    /// nothing that goes into it has changed. A build that is given up midway leaves no output.
    ///
    /// # Errors
    /// See [`BuildError`]; its origin tells the app's faults from this machine's.
    pub fn build(&self, request: &BuildRequest, progress: &dyn Progress) -> Result<Built, BuildError> {
        let project = Project::scan(&request.dir, request.target.module())?;
        let imports = project.imports();
        let requirements = Requirements::of(project.folder(), project.pyproject(), &imports)?;
        let key = self.key(&project, &requirements, &request.target)?;
        let cached = self.cache.find("builds", &key).is_some();
        let entry = self.cache.entry("builds", &key, |folder| {
            let toolchain = Toolchain::ensure(&self.cache, progress)?;
            let site = dependencies::site(&self.wheels(&toolchain, progress), &requirements)?;
            let work = self.cache.scratch()?;
            let target = &request.target;
            let build = Build {
                cache: &self.cache,
                toolchain: &toolchain,
                project: &project,
                site: &site,
                target,
                work: work.path(),
                progress,
            };
            build.component(imports.postgres, &folder.join(COMPONENT))
        })?;
        deliver(&entry.join(COMPONENT), &request.output, cached)
    }

    fn key(
        &self,
        project: &Project,
        requirements: &Requirements,
        target: &Target,
    ) -> Result<Key, BuildError> {
        let mut key = KeyMaker::default().part(VERSION).part(prelink::VERSION).part(target.to_string());
        assets::add_to(&mut key);
        requirements.add_to(&mut key);
        self.add_wheels_to(&mut key)?;
        project.add_to(&mut key)?;
        Ok(key.finish())
    }
}

/// One run of the SDK's half, as `BUILD_PROTOCOL.md` lays down.
struct Build<'a> {
    cache: &'a Cache,
    toolchain: &'a Toolchain,
    project: &'a Project,
    site: &'a Site,
    target: &'a Target,
    work: &'a Path,
    progress: &'a dyn Progress,
}

impl Build<'_> {
    fn component(&self, uses_postgres: bool, output: &Path) -> Result<(), BuildError> {
        self.project.notice().iter().for_each(|notice| self.progress.report(Event::Notice(notice)));
        self.site.notices.iter().for_each(|notice| self.progress.report(Event::Notice(notice)));
        let config = Config::build(self.target, &self.project.pyproject().preload);
        let run = Run { toolchain: self.toolchain, entry: "fasterapi._entry", config, work: self.work };
        self.project.copy_to(&run.app())?;
        copy_tree(&self.site.folder, &run.site())?;
        let name = format!("build {}", self.target);
        let result = step(self.progress, &name, || Self::in_the_right_world(&run, uses_postgres, output))?;
        result.warnings.iter().for_each(|warning| self.progress.report(Event::Notice(warning)));
        let manifest = result.manifest(&self.site.packages)?;
        let mut component = fs::read(output).map_err(BuildError::io("read", output))?;
        manifest::append(&mut component, &manifest)?;
        if let Some(archive) = files::archive(self.project, &self.site.folder)? {
            core_files::append(&mut component, &archive)?;
        }
        if manifest.routes.iter().any(|route| route.docs)
            && let Some(files) = docs_assets::wanted(self.cache, self.toolchain, self.progress)?
        {
            docs::append(&mut component, &files)?;
        }
        fs::write(output, component).map_err(BuildError::io("write", output))
    }

    /// Imports `fasterapi:postgres` only where the app uses it, so that any other app runs on any WASI 0.3 host.
    /// The sources are a guess; the SDK knows.
    fn in_the_right_world(run: &Run<'_>, guess: bool, output: &Path) -> Result<SdkResult, BuildError> {
        let world = |postgres| if postgres { "app-postgres" } else { "app" };
        let result = run.component(world(guess), output)?;
        let other = match guess {
            true => result.ok && result.uses_postgres() == Some(false),
            false => result.kind == "needs-postgres",
        };
        if other { run.component(world(!guess), output)?.success() } else { result.success() }
    }
}

/// What almost every app needs.
fn prepared() -> Result<Vec<Recipe>, BuildError> {
    Ok(Recipe::all()?.into_iter().filter(|recipe| recipe.name == "pydantic-core").collect())
}

/// Puts the finished component where it was asked for, whole.
fn deliver(component: &Path, output: &Path, cached: bool) -> Result<Built, BuildError> {
    let bytes = fs::read(component).map_err(BuildError::io("read", component))?;
    let manifest = manifest::read(&bytes)?
        .ok_or_else(|| BuildError::Internal(format!("{} has no manifest", component.display())))?;
    let folder = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut aside = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(BuildError::io("write", output))?;
    aside.write_all(&bytes).map_err(BuildError::io("write", output))?;
    aside.persist(output).map_err(|error| BuildError::io("write", output)(error.error))?;
    Ok(Built { path: output.to_owned(), manifest, bytes: bytes.len() as u64, cached })
}
