//! Drafts: an app for development, ready to be imported into a component of its packages.
//!
//! Making a component takes seconds, and an app changes much more often than its packages do. So the packages have a
//! component of their own, kept like any build, and the app is a copy of its files, which each instance imports when
//! it starts. The component holds, imported, the packages that the app's sources name; it is made anew when they name
//! another of those that are installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fasterapi_core::{docs::DocsFiles, manifest::Manifest};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::builder::Builder;
use crate::cache::{Key, KeyMaker, create_folder};
use crate::component::copy_tree;
use crate::dependencies;
use crate::imports::Imports;
use crate::progress::step;
use crate::project::Project;
use crate::requirements::Requirements;
use crate::sdk::{Config, Run, SdkResult, VERSION};
use crate::toolchain::Toolchain;
use crate::{BuildError, Event, Progress, Target, assets, docs_assets, prelink};

const COMPONENT: &str = "packages.wasm";
const SITE: &str = "site.json";

/// Every component of packages has these imported, where they are installed.
const FRAMEWORKS: [&str; 7] =
    ["fasterapi", "fastapi", "starlette", "pydantic", "pydantic_core", "anyio", "typing_extensions"];

/// An app, ready to be imported.
#[derive(Debug)]
pub struct Draft {
    /// The component of its packages.
    pub component: PathBuf,
    /// Names the component's content.
    pub component_key: String,
    /// A copy of the app's files, for the guest's `/1`.
    pub files: TempDir,
    /// The packages' files, for the guest's `/2`.
    pub packages: PathBuf,
    /// Names it all: equal for equal sources, dependencies and builders.
    pub key: String,
    /// What the SDK is told to import in an instance that serves (`BUILD_PROTOCOL.md`).
    pub config: String,
    /// The same in one that tells what the app is: its report is for [`Draft::manifest`].
    pub description: String,
    /// What the app's docs pages show themselves with, if it is here.
    pub docs: Arc<DocsFiles>,
    versions: BTreeMap<String, String>,
    notice: Option<&'static str>,
}

/// What is kept of a site folder.
#[derive(Serialize, Deserialize)]
struct Kept {
    folder: PathBuf,
    packages: BTreeMap<String, String>,
}

impl Builder {
    /// Makes a draft of the app `target` of the project in `dir`. Takes milliseconds while the packages stay the same,
    /// some 20 seconds when they do not. Blocks.
    ///
    /// # Errors
    /// See [`BuildError`]. Whether the app can be imported shows in [`Draft::manifest`].
    pub fn draft(&self, target: &Target, dir: &Path, progress: &dyn Progress) -> Result<Draft, BuildError> {
        let project = Project::scan(dir, target.module())?;
        let imports = project.imports();
        let requirements = Requirements::of(project.folder(), project.pyproject(), &imports)?;
        let packages = Packages { builder: self, project: &project, requirements, progress };
        let site = packages.site()?;
        let used = used(&imports, &site.folder);
        let (component, key) = packages.component(&site, &used)?;
        let mut whole = KeyMaker::default().part(key.as_str()).part(target.to_string());
        project.add_to(&mut whole)?;
        let files = tempfile::tempdir().map_err(BuildError::io("write", &std::env::temp_dir()))?;
        project.copy_to(files.path())?;
        Ok(Draft {
            component,
            component_key: key.as_str().to_owned(),
            files,
            packages: site.folder,
            key: whole.finish().as_str().to_owned(),
            config: Config::late(target).text(),
            description: Config::described(target).text(),
            docs: Arc::new(docs_assets::kept(self.cache()).unwrap_or_default()),
            versions: site.packages,
            notice: project.notice(),
        })
    }
}

impl Draft {
    /// The app's manifest and what its author should know, from the SDK's report of an import.
    ///
    /// # Errors
    /// What the report says is wrong with the app.
    pub fn manifest(&self, report: &str) -> Result<(Manifest, Vec<String>), BuildError> {
        let mut result = SdkResult::parse(report.as_bytes())?.success()?;
        let notice = self.notice.map(str::to_owned).into_iter();
        let warnings = notice.chain(std::mem::take(&mut result.warnings)).collect();
        Ok((result.manifest(&self.versions)?, warnings))
    }
}

/// The modules that the sources import from installed packages, by the name of the package's folder or file.
fn used(imports: &Imports, site: &Path) -> BTreeMap<String, Vec<String>> {
    let installed = |top: &str| site.join(top).is_dir() || site.join(format!("{top}.py")).is_file();
    let mut used = BTreeMap::<_, Vec<_>>::new();
    for module in &imports.modules {
        let top = module.split('.').next().unwrap_or(module);
        if !FRAMEWORKS.contains(&top) && installed(top) {
            used.entry(top.to_owned()).or_default().push(module.clone());
        }
    }
    used
}

/// The packages of a project.
struct Packages<'a> {
    builder: &'a Builder,
    project: &'a Project,
    requirements: Requirements,
    progress: &'a dyn Progress,
}

impl Packages<'_> {
    fn key(&self) -> Result<KeyMaker, BuildError> {
        let mut key = KeyMaker::default().part(VERSION).part(prelink::VERSION).part("draft");
        assets::add_to(&mut key);
        self.requirements.add_to(&mut key);
        self.builder.add_wheels_to(&mut key)?;
        Ok(key)
    }

    /// The site folder for the requirements, found without asking a Python.
    fn site(&self) -> Result<Kept, BuildError> {
        let entry = self.builder.cache().entry("draft-sites", &self.key()?.finish(), |folder| {
            let kept = self.make_site()?;
            let path = folder.join(SITE);
            fs::write(&path, serde_json::json!(kept).to_string()).map_err(BuildError::io("write", &path))
        })?;
        let path = entry.join(SITE);
        let text = fs::read(&path).map_err(BuildError::io("read", &path))?;
        let kept: Kept = serde_json::from_slice(&text)
            .map_err(|error| BuildError::Internal(format!("{}: {error}", path.display())))?;
        // The cache may have let go of the folder since.
        if kept.folder.is_dir() { Ok(kept) } else { self.make_site() }
    }

    fn make_site(&self) -> Result<Kept, BuildError> {
        let toolchain = Toolchain::ensure(self.builder.cache(), self.progress)?;
        let wheels = self.builder.wheels(&toolchain, self.progress);
        let site = dependencies::site(&wheels, &self.requirements)?;
        site.notices.iter().for_each(|notice| self.progress.report(Event::Notice(notice)));
        Ok(Kept { folder: site.folder, packages: site.packages })
    }

    /// The component that has the packages of `used` imported, and the name of its content.
    fn component(
        &self,
        site: &Kept,
        used: &BTreeMap<String, Vec<String>>,
    ) -> Result<(PathBuf, Key), BuildError> {
        let preload = &self.project.pyproject().preload;
        let mut key = self.key()?;
        preload.iter().for_each(|name| key.add(name));
        used.keys().for_each(|name| key.add(name));
        let key = key.finish();
        let entry = self.builder.cache().entry("drafts", &key, |folder| {
            let toolchain = Toolchain::ensure(self.builder.cache(), self.progress)?;
            let work = self.builder.cache().scratch()?;
            let config = Config::packages(preload, used.values().flatten().cloned());
            let entry = "fasterapi._draft_entry";
            let run = Run { toolchain: &toolchain, entry, config, work: work.path() };
            create_folder(&run.app())?;
            copy_tree(&site.folder, &run.site())?;
            let made = || run.component("draft-app", &folder.join(COMPONENT))?.success();
            let result = step(self.progress, "build the app's packages into a component (once)", made)?;
            result.warnings.iter().for_each(|warning| self.progress.report(Event::Notice(warning)));
            docs_assets::wanted(self.builder.cache(), &toolchain, self.progress).map(drop)
        })?;
        Ok((entry.join(COMPONENT), key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_that_are_installed_and_used_count() {
        let site = tempfile::tempdir().unwrap();
        for folder in ["sqlalchemy", "jwt", "fastapi"] {
            fs::create_dir(site.path().join(folder)).unwrap();
        }
        fs::write(site.path().join("six.py"), "").unwrap();
        let mut imports = Imports::default();
        imports.note("import os, sqlalchemy.orm, fastapi\nfrom sqlalchemy import x\nimport six, missing\n");
        let used = used(&imports, site.path());
        let tops: Vec<_> = used.keys().map(String::as_str).collect();
        assert_eq!(tops, ["six", "sqlalchemy"]);
        assert_eq!(used.get("sqlalchemy").unwrap(), &["sqlalchemy", "sqlalchemy.orm"]);
    }
}
