//! From a package's source to a wheel: what native and pure recipes have in common.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::recipe::{NativeToolchain, Recipe};
use crate::cache::{create_folder, sha256_file};
use crate::command::run;
use crate::toolchain::{Toolchain, WHEELS_OF_THE_GUEST};
use crate::{BuildError, Progress, assets};

/// The source of a recipe's package, in a folder of its own.
pub(super) struct Source<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) toolchain: &'a Toolchain,
    pub(super) work: &'a Path,
    pub(super) progress: &'a dyn Progress,
}

impl Source<'_> {
    /// Downloads and unpacks the source archive, which must be the recipe's, and lays over it what the recipe brings.
    pub(super) fn unpack(&self) -> Result<PathBuf, BuildError> {
        let Recipe { name, version, sdist, sdist_sha256, .. } = self.recipe;
        let name = sdist.as_ref().unwrap_or(name);
        let mut download = self.toolchain.script(assets::SDIST_SCRIPT);
        run(download.args([name, version]).arg(self.work), self.progress)?
            .success("downloading the source")?;
        let stem = format!("{}-{version}", name.replace('-', "_"));
        let archive = self.work.join(format!("{stem}.tar.gz"));
        self.check_digest("the source archive of", &archive, sdist_sha256)?;
        let mut unpack = self.toolchain.python();
        unpack.args(["-I", "-m", "tarfile", "-e"]).arg(&archive).arg(self.work.join("src"));
        run(&mut unpack, self.progress)?.success("unpacking the source")?;
        let unpacked = self.work.join("src").join(stem);
        for (path, text) in &self.recipe.over {
            let path = unpacked.join(path);
            path.parent().map_or(Ok(()), create_folder)?;
            fs::write(&path, text).map_err(BuildError::io("write", &path))?;
        }
        Ok(unpacked)
    }

    /// Packs the wheel into `folder`.
    pub(super) fn pack(
        &self,
        source: &Path,
        module: Option<&Path>,
        toolchain: &NativeToolchain,
        folder: &Path,
    ) -> Result<(), BuildError> {
        let Recipe { packages, python, native, .. } = self.recipe;
        let job = json!({
            "wheel": folder.join(self.recipe.wheel(toolchain)), "tag": self.recipe.tag(toolchain),
            "metadata": source.join("PKG-INFO"), "python": source.join(python), "packages": packages,
            "module": module, "module_path": native.as_ref().map(|native| &native.module),
        });
        write(self.toolchain, &job, self.progress)
    }

    /// Asks pip for the wheel in `links`.
    pub(super) fn download(
        &self,
        links: &[String],
        toolchain: &NativeToolchain,
    ) -> Result<Option<PathBuf>, BuildError> {
        let Recipe { name, version, .. } = self.recipe;
        let folder = self.work.join("prebuilt");
        create_folder(&folder)?;
        let mut pip = self.toolchain.python();
        pip.args(["-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-index"]);
        pip.args(WHEELS_OF_THE_GUEST).arg("--dest").arg(&folder);
        for link in links {
            pip.args(["--find-links", link]);
        }
        // That it is not there is no failure: it is built then.
        run(pip.arg(format!("{name}=={version}")), self.progress)?;
        let wheel = folder.join(self.recipe.wheel(toolchain));
        Ok(wheel.is_file().then_some(wheel))
    }

    /// One file out of a wheel.
    pub(super) fn member(&self, wheel: &Path, member: &str) -> Result<PathBuf, BuildError> {
        let folder = self.work.join("unpacked");
        unpack_wheel(self.toolchain, wheel, &folder, "a prebuilt wheel", self.progress)?;
        Ok(folder.join(member))
    }

    pub(super) fn check_digest(&self, what: &str, file: &Path, expected: &str) -> Result<(), BuildError> {
        let found = sha256_file(file)?;
        if found == expected {
            return Ok(());
        }
        Err(BuildError::Digest {
            what: format!("{what} {} {}", self.recipe.name, self.recipe.version),
            expected: expected.to_owned(),
            found,
            hint: "its recipe is for one source archive and one toolchain (guest-sdk/wasi-wheels/README.md)"
                .into(),
        })
    }
}

/// Unpacks all of a wheel into `folder`. `what` it is, for the user.
pub(crate) fn unpack_wheel(
    toolchain: &Toolchain,
    wheel: &Path,
    folder: &Path,
    what: &str,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let mut unpack = toolchain.python();
    unpack.args(["-I", "-m", "zipfile", "-e"]).arg(wheel).arg(folder);
    run(&mut unpack, progress)?.success(&format!("unpacking {what}")).map(drop)
}

/// A wheel in the place of one that is not made yet.
pub(super) fn placeholder(
    toolchain: &Toolchain,
    recipe: &Recipe,
    native: &NativeToolchain,
    folder: &Path,
) -> Result<(), BuildError> {
    let Recipe { name, version, requires, .. } = recipe;
    let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    requires.iter().for_each(|required| metadata.push_str(&format!("Requires-Dist: {required}\n")));
    let path = folder.join(format!("{name}.metadata"));
    fs::write(&path, metadata).map_err(BuildError::io("write", &path))?;
    let job = json!({
        "wheel": folder.join(recipe.wheel(native)), "tag": recipe.tag(native), "metadata": path,
        "python": folder, "packages": [], "module": null, "module_path": null,
    });
    write(toolchain, &job, &|_: crate::Event<'_>| {})
}

fn write(toolchain: &Toolchain, job: &serde_json::Value, progress: &dyn Progress) -> Result<(), BuildError> {
    let mut pack = toolchain.script(assets::WHEEL_SCRIPT);
    run(pack.arg(job.to_string()), progress)?.success("packing the wheel").map(drop)
}
