//! From a project folder to a component with its manifest.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fasterapi_core::manifest::{self, Manifest};
use serde::Deserialize;
use serde_json::json;

use crate::cache::{Cache, Key, KeyMaker, create_folder};
use crate::component::{Componentize, copy_tree};
use crate::dependencies::{self, Site};
use crate::progress::step;
use crate::project::Project;
use crate::requirements::{Imports, Requirements};
use crate::toolchain::Toolchain;
use crate::{BuildError, Event, Progress, Target, assets, wheels};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const PROTOCOL: u32 = 1;
const COMPONENT: &str = "app.wasm";
const RESULT: &str = "_fasterapi_result.json";
const CONFIG: &str = "_fasterapi_config.json";
/// What the SDK writes comes out of the app's own process, so it is bounded like anything else from a guest.
const LARGEST_RESULT: u64 = 16 << 20;
/// With more modules than this compiled in the run, the component carries their garbage (the protocol's number).
const MOST_COMPILED: u64 = 20;

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
    /// Names what it was made from: equal for equal sources, dependencies and builders.
    pub key: String,
}

/// Builds components; a handle on the cache that everything is kept in.
#[derive(Debug, Clone)]
pub struct Builder {
    cache: Cache,
}

impl Builder {
    /// A builder that keeps everything in `cache`.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self { cache }
    }

    /// The Debian packages to install before [`Builder::prepare`] can work.
    ///
    /// # Errors
    /// None of this machine: only a malformed recipe.
    pub fn missing_packages(&self) -> Result<Vec<&'static str>, BuildError> {
        let mut packages = Toolchain::missing_packages();
        packages.extend(wheels::missing_packages(&self.cache)?);
        Ok(packages)
    }

    /// Makes the Python environment and the folder of WASI wheels, which is returned, if they are not there: minutes on a new machine. A build
    /// does it when it needs them.
    ///
    /// # Errors
    /// A tool is missing or failed, or the package index did not answer.
    pub fn prepare(&self, progress: &dyn Progress) -> Result<PathBuf, BuildError> {
        let toolchain = Toolchain::ensure(&self.cache, progress)?;
        wheels::ensure(&self.cache, &toolchain, progress)
    }

    /// Builds a component. Blocks for some 20 seconds, longer the first time; copies the finished one when
    /// nothing that goes into it has changed. A build that is given up midway leaves no output.
    ///
    /// # Errors
    /// See [`BuildError`]; its origin tells the app's faults from this machine's.
    pub fn build(&self, request: &BuildRequest, progress: &dyn Progress) -> Result<Built, BuildError> {
        let project = Project::scan(&request.dir, request.target.module())?;
        let imports = project.imports();
        let requirements = Requirements::of(project.folder(), project.pyproject(), imports)?;
        let key = self.key(&project, &requirements, &request.target)?;
        let cached = self.cache.find("builds", &key).is_some();
        let entry = self.cache.entry("builds", &key, |folder| {
            let toolchain = Toolchain::ensure(&self.cache, progress)?;
            let site = dependencies::site(&self.cache, &toolchain, &requirements, progress)?;
            let work = self.cache.scratch()?;
            let target = &request.target;
            let build = Build {
                toolchain: &toolchain,
                project: &project,
                site: &site,
                target,
                work: work.path(),
                progress,
            };
            build.component(imports, &folder.join(COMPONENT))
        })?;
        deliver(&entry.join(COMPONENT), &request.output, cached, &key)
    }

    /// Takes a build out of the cache, when nobody will ask for it again: one that was made between two changes of the
    /// sources. The delivered component stays. Best effort.
    pub fn forget(&self, built: &Built) {
        self.cache.forget("builds", &built.key);
    }

    fn key(
        &self,
        project: &Project,
        requirements: &Requirements,
        target: &Target,
    ) -> Result<Key, BuildError> {
        let mut key = KeyMaker::default().part(VERSION).part(target.to_string());
        assets::add_to(&mut key);
        requirements.add_to(&mut key);
        project.add_to(&mut key)?;
        Ok(key.finish())
    }
}

/// One run of the SDK's half, as `BUILD_PROTOCOL.md` lays down.
struct Build<'a> {
    toolchain: &'a Toolchain,
    project: &'a Project,
    site: &'a Site,
    target: &'a Target,
    work: &'a Path,
    progress: &'a dyn Progress,
}

/// `_fasterapi_result.json`.
#[derive(Deserialize)]
struct SdkResult {
    ok: bool,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    error: String,
    hint: Option<String>,
    traceback: Option<String>,
    #[serde(default)]
    compiled: Compiled,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    manifest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize, Default)]
struct Compiled {
    #[serde(default)]
    site: u64,
}

impl Build<'_> {
    fn component(&self, imports: Imports, output: &Path) -> Result<(), BuildError> {
        self.site.notices.iter().for_each(|notice| self.progress.report(Event::Notice(notice)));
        self.project.copy_to(&self.app())?;
        copy_tree(&self.site.folder, &self.packages())?;
        let name = format!("build {}", self.target);
        let result = step(self.progress, &name, || self.in_the_right_world(imports.postgres, output))?;
        result.warnings.iter().for_each(|warning| self.progress.report(Event::Notice(warning)));
        let manifest = self.manifest(result.manifest)?;
        let mut component = fs::read(output).map_err(BuildError::io("read", output))?;
        manifest::append(&mut component, &manifest)?;
        fs::write(output, component).map_err(BuildError::io("write", output))
    }

    /// Imports `fasterapi:postgres` only where the app uses it, so that any other app runs on any WASI 0.3 host.
    /// The sources are a guess; the SDK knows.
    fn in_the_right_world(&self, guess: bool, output: &Path) -> Result<SdkResult, BuildError> {
        let world = |postgres| if postgres { "app-postgres" } else { "app" };
        let result = self.until_warm(world(guess), output)?;
        let uses = result.manifest.get("uses_postgres").and_then(serde_json::Value::as_bool);
        let result = if !guess && result.kind == "needs-postgres" || guess && result.ok && uses == Some(false)
        {
            self.until_warm(world(!guess), output)?
        } else {
            result
        };
        if result.ok { Ok(result) } else { Err(failure(result)) }
    }

    fn until_warm(&self, world: &str, output: &Path) -> Result<SdkResult, BuildError> {
        let result = self.run(world, output)?;
        if result.ok && result.compiled.site > MOST_COMPILED { self.run(world, output) } else { Ok(result) }
    }

    fn run(&self, world: &str, output: &Path) -> Result<SdkResult, BuildError> {
        let meta = self.work.join("meta");
        create_folder(&meta)?;
        let config = json!({
            "protocol": PROTOCOL, "mode": "build", "world": world, "preload": self.project.pyproject().preload,
            "module": self.target.module(), "attr": self.target.attr(),
        });
        let path = meta.join(CONFIG);
        fs::write(&path, config.to_string()).map_err(BuildError::io("write", &path))?;
        let path = meta.join(RESULT);
        let _absent_the_first_time = fs::remove_file(&path);
        let folders: [&Path; 3] = [&meta, &self.app(), &self.packages()];
        let module = "fasterapi._entry";
        let job = Componentize { toolchain: self.toolchain, folders: &folders, world, module, output };
        let outcome = job.run(self.work)?;
        match read_result(&path)? {
            Some(result) if !result.ok || outcome.status.success() => Ok(result),
            _ => Err(BuildError::Tool { what: "componentize-py".into(), output: outcome.tail }),
        }
    }

    fn manifest(
        &self,
        mut fields: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Manifest, BuildError> {
        fields.insert("format".into(), json!(manifest::FORMAT));
        fields.insert("builder".into(), json!(VERSION));
        fields.insert("packages".into(), json!(self.site.packages));
        Ok(Manifest::from_json(json!(fields).to_string().as_bytes())?)
    }

    fn app(&self) -> PathBuf {
        self.work.join("app")
    }

    fn packages(&self) -> PathBuf {
        self.work.join("site")
    }
}

fn read_result(path: &Path) -> Result<Option<SdkResult>, BuildError> {
    let Ok(file) = fs::File::open(path) else { return Ok(None) };
    let mut text = Vec::new();
    file.take(LARGEST_RESULT).read_to_end(&mut text).map_err(BuildError::io("read", path))?;
    let result = serde_json::from_slice(&text);
    result.map(Some).map_err(|error| BuildError::Internal(format!("the SDK's result is malformed: {error}")))
}

fn failure(result: SdkResult) -> BuildError {
    if result.kind == "internal" {
        let traceback = result.traceback.unwrap_or_default();
        return BuildError::Internal(format!("{}\n{}", result.error, traceback.trim_end()));
    }
    BuildError::App { error: result.error, hint: result.hint, traceback: result.traceback }
}

/// Puts the finished component where it was asked for, whole.
fn deliver(component: &Path, output: &Path, cached: bool, key: &Key) -> Result<Built, BuildError> {
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
    Ok(Built {
        path: output.to_owned(),
        manifest,
        bytes: bytes.len() as u64,
        cached,
        key: key.as_str().to_owned(),
    })
}
