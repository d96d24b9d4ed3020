//! What the builder and the SDK say to each other, as `BUILD_PROTOCOL.md` lays down.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use fasterapi_core::manifest::{self, Manifest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cache::create_folder;
use crate::component::Componentize;
use crate::prelink::prelink;
use crate::toolchain::Toolchain;
use crate::{BuildError, Target};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

const PROTOCOL: u32 = 1;
const RESULT: &str = "_fasterapi_result.json";
const CONFIG: &str = "_fasterapi_config.json";
/// What the SDK writes comes out of the app's own process, so it is bounded like anything else from a guest.
const LARGEST_RESULT: u64 = 16 << 20;
/// With more modules than this compiled in the run, the component carries their garbage (the protocol's number).
const MOST_COMPILED: u64 = 20;

/// What is asked of the SDK.
#[derive(Clone, Debug)]
pub(crate) struct Config(Value);

impl Config {
    /// An app built into its component.
    pub(crate) fn build(target: &Target, preload: &[String]) -> Self {
        Self(json!({
            "protocol": PROTOCOL, "mode": "build", "preload": preload,
            "module": target.module(), "attr": target.attr(),
        }))
    }

    /// The packages of an app in development, of which these modules are imported beforehand.
    pub(crate) fn packages(preload: &[String], imports: impl IntoIterator<Item = String>) -> Self {
        let imports: Vec<_> = imports.into_iter().collect();
        Self(json!({
            "protocol": PROTOCOL, "mode": "packages", "preload": preload, "imports": imports, "module": "", "attr": "",
        }))
    }

    /// An app imported into a component of its packages, to be served.
    pub(crate) fn late(target: &Target) -> Self {
        Self::imported(target, "late")
    }

    /// The same, to tell its manifest and what its author should know.
    pub(crate) fn described(target: &Target) -> Self {
        Self::imported(target, "described")
    }

    fn imported(target: &Target, mode: &str) -> Self {
        Self(json!({
            "protocol": PROTOCOL, "mode": mode, "module": target.module(), "attr": target.attr(),
        }))
    }

    /// As the SDK reads it.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

/// What the SDK answers.
#[derive(Deserialize)]
pub(crate) struct SdkResult {
    pub(crate) ok: bool,
    #[serde(default)]
    pub(crate) kind: String,
    #[serde(default)]
    error: String,
    hint: Option<String>,
    traceback: Option<String>,
    #[serde(default)]
    compiled: Compiled,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    manifest: serde_json::Map<String, Value>,
}

#[derive(Deserialize, Default)]
struct Compiled {
    #[serde(default)]
    site: u64,
}

impl SdkResult {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, BuildError> {
        let malformed = |error| BuildError::Internal(format!("the SDK's result is malformed: {error}"));
        serde_json::from_slice(text).map_err(malformed)
    }

    /// What it says of the app's use of Postgres; none where it does not get so far.
    pub(crate) fn uses_postgres(&self) -> Option<bool> {
        self.manifest.get("uses_postgres").and_then(Value::as_bool)
    }

    /// The result of what went well.
    pub(crate) fn success(self) -> Result<Self, BuildError> {
        if self.ok {
            return Ok(self);
        }
        if self.kind == "internal" {
            let traceback = self.traceback.unwrap_or_default();
            return Err(BuildError::Internal(format!("{}\n{}", self.error, traceback.trim_end())));
        }
        Err(BuildError::App { error: self.error, hint: self.hint, traceback: self.traceback })
    }

    /// The manifest of an app with these packages.
    pub(crate) fn manifest(mut self, packages: &BTreeMap<String, String>) -> Result<Manifest, BuildError> {
        self.manifest.insert("format".into(), json!(manifest::FORMAT));
        self.manifest.insert("builder".into(), json!(VERSION));
        self.manifest.insert("packages".into(), json!(packages));
        Ok(Manifest::from_json(json!(self.manifest).to_string().as_bytes())?)
    }
}

/// One run of the SDK's half, inside componentize-py.
pub(crate) struct Run<'a> {
    pub(crate) toolchain: &'a Toolchain,
    /// The module that componentize-py imports.
    pub(crate) entry: &'a str,
    pub(crate) config: Config,
    /// A folder of this run alone. The app's modules stand in its `app`, the packages in its `site`.
    pub(crate) work: &'a Path,
}

impl Run<'_> {
    /// Makes the component `output`, unless the result says why there is none.
    pub(crate) fn component(&self, world: &str, output: &Path) -> Result<SdkResult, BuildError> {
        let mut result = self.once(world, output)?;
        if result.ok && result.compiled.site > MOST_COMPILED {
            result = self.once(world, output)?;
        }
        if result.ok {
            prelinked(output)?;
        }
        Ok(result)
    }

    fn once(&self, world: &str, output: &Path) -> Result<SdkResult, BuildError> {
        let meta = self.work.join("meta");
        create_folder(&meta)?;
        let path = meta.join(CONFIG);
        fs::write(&path, self.config.text()).map_err(BuildError::io("write", &path))?;
        let path = meta.join(RESULT);
        let _absent_the_first_time = fs::remove_file(&path);
        let folders: [&Path; 3] = [&meta, &self.app(), &self.site()];
        let (toolchain, module) = (self.toolchain, self.entry);
        let job = Componentize { toolchain, folders: &folders, world, module, output };
        let outcome = job.run(self.work)?;
        match read_result(&path)? {
            Some(result) if !result.ok || outcome.status.success() => Ok(result),
            _ => Err(BuildError::Tool { what: "componentize-py".into(), output: outcome.tail }),
        }
    }

    /// Where the app's modules stand.
    pub(crate) fn app(&self) -> PathBuf {
        self.work.join("app")
    }

    /// Where the packages stand.
    pub(crate) fn site(&self) -> PathBuf {
        self.work.join("site")
    }
}

/// Gives the component that was written its addresses.
fn prelinked(component: &Path) -> Result<(), BuildError> {
    let written = fs::read(component).map_err(BuildError::io("read", component))?;
    fs::write(component, prelink(&written)?).map_err(BuildError::io("write", component))
}

fn read_result(path: &Path) -> Result<Option<SdkResult>, BuildError> {
    let Ok(file) = fs::File::open(path) else { return Ok(None) };
    let mut text = Vec::new();
    file.take(LARGEST_RESULT).read_to_end(&mut text).map_err(BuildError::io("read", path))?;
    SdkResult::parse(&text).map(Some)
}
