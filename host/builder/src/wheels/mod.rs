//! Wheels for the guest that no registry has, made from the recipes in `guest-sdk/wasi-wheels`.
//!
//! Each is made when an app first needs it, and kept: building one takes minutes. So pip is given a *placeholder* in
//! the place of a wheel that is not there yet, with the same name, version and requirements and nothing in it. What pip
//! chose of those is made then, and pip runs once more ([`crate::dependencies`]).

mod c;
mod clang;
mod own;
mod pack;
mod recipe;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, KeyMaker, create_folder};
use crate::component::copy_tree;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress};

use clang::Clang;
use pack::Source;
pub(crate) use pack::unpack_wheel;
use recipe::{Code, Native};
pub(crate) use recipe::{NativeToolchain, Recipe};
pub(crate) use rust::missing_packages;

const KIND: &str = "wasi-wheels";

/// The recipes' wheels, those that are there and those that can be.
pub(crate) struct Wheels<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) toolchain: &'a Toolchain,
    /// Folders and addresses with prebuilt wheels, for pip's `--find-links`.
    pub(crate) links: &'a [String],
    pub(crate) progress: &'a dyn Progress,
}

impl Wheels<'_> {
    /// Makes a wheel, or finds it: its folder. Minutes of CPU for a native one; seconds, and the package index, for
    /// others.
    pub(crate) fn ensure(&self, recipe: &Recipe) -> Result<PathBuf, BuildError> {
        let Recipe { name, version, .. } = recipe;
        self.cache.entry(KIND, &recipe.key(), |folder| {
            let toolchain = NativeToolchain::pinned()?;
            if recipe.native.is_some() && self.prebuilt(recipe, &toolchain, folder)? {
                return Ok(());
            }
            let work = self.cache.scratch()?;
            let source =
                Source { recipe, toolchain: self.toolchain, work: work.path(), progress: self.progress };
            let Some(native) = &recipe.native else {
                let name = format!("make a wheel of {name} {version} (once)");
                return step(self.progress, &name, || {
                    source.pack(&source.unpack()?, None, &toolchain, folder)
                });
            };
            let clang = if native.has_c() { Some(self.clang()?) } else { None };
            let long = if native.is_rust() { "minutes, once" } else { "once" };
            step(self.progress, &format!("build {name} {version} for WASI ({long})"), || {
                build(&source, native, &toolchain, clang.as_ref(), folder)
            })
        })
    }

    /// Makes a wheel, or finds it, and unpacks it among a site's packages.
    pub(crate) fn unpack(&self, recipe: &Recipe, site: &Path) -> Result<(), BuildError> {
        let wheel = self.ensure(recipe)?.join(recipe.wheel(&NativeToolchain::pinned()?));
        pack::unpack_wheel(self.toolchain, &wheel, site, &recipe.name, self.progress)
    }

    fn clang(&self) -> Result<Clang, BuildError> {
        Clang::ensure(self.cache, self.toolchain, self.progress)
    }

    /// Takes the wheel from those that somebody built before. Whether it was there; one whose module is not the
    /// recipe's, to the byte, is an error.
    fn prebuilt(
        &self,
        recipe: &Recipe,
        toolchain: &NativeToolchain,
        folder: &Path,
    ) -> Result<bool, BuildError> {
        let Some(native) = recipe.native.as_ref().filter(|_| !self.links.is_empty()) else {
            return Ok(false);
        };
        let work = self.cache.scratch()?;
        let source = Source { recipe, toolchain: self.toolchain, work: work.path(), progress: self.progress };
        let Some(wheel) = source.download(self.links, toolchain)? else { return Ok(false) };
        let module = source.member(&wheel, &native.module)?;
        source.check_digest("the prebuilt WASI module of", &module, &native.module_sha256)?;
        let kept = folder.join(recipe.wheel(toolchain));
        fs::copy(&wheel, &kept).map_err(BuildError::io("copy", &wheel))?;
        Ok(true)
    }

    /// A folder with a wheel for every recipe, for pip to choose from: those that were made, and placeholders.
    pub(crate) fn choice(&self, folder: &Path) -> Result<(), BuildError> {
        let toolchain = NativeToolchain::pinned()?;
        for recipe in Recipe::all()? {
            match self.cache.find(KIND, &recipe.key()) {
                Some(made) => copy_tree(&made, folder)?,
                None => pack::placeholder(self.toolchain, &recipe, &toolchain, folder)?,
            }
        }
        Ok(())
    }

    /// The recipes for which [`choice`](Self::choice) would have placeholders, of those with these names and versions.
    pub(crate) fn missing<'n>(
        &self,
        installed: impl Fn(&str) -> Option<&'n String>,
    ) -> Result<Vec<Recipe>, BuildError> {
        let wanted = |recipe: &Recipe| {
            installed(&recipe.name) == Some(&recipe.version) && self.cache.find(KIND, &recipe.key()).is_none()
        };
        Ok(Recipe::all()?.into_iter().filter(wanted).collect())
    }
}

/// Builds an extension module and packs its wheel into `folder`.
fn build(
    source: &Source<'_>,
    native: &Native,
    toolchain: &NativeToolchain,
    clang: Option<&Clang>,
    folder: &Path,
) -> Result<(), BuildError> {
    let unpacked = source.unpack()?;
    let module = match (&native.code, clang) {
        (Code::Rust(code), clang) => rust::build(source, code, toolchain, clang, &unpacked)?,
        (Code::C(code), Some(clang)) => c::build(source, native, code, clang, &unpacked)?,
        (Code::C(_), None) => return Err(BuildError::Internal("C without a compiler".into())),
    };
    source.check_digest("the WASI module of", &module, &native.module_sha256)?;
    create_folder(folder)?;
    source.pack(&unpacked, Some(&module), toolchain, folder)
}

/// Feeds all that decides which wheels there are into a key.
pub(crate) fn add_to(key: &mut KeyMaker, links: &[String]) -> Result<(), BuildError> {
    Recipe::all()?.iter().for_each(|recipe| key.add(recipe.key().as_str()));
    links.iter().for_each(|link| key.add(link));
    Ok(())
}
