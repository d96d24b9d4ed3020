//! A PyPI wheel that is pinned by its digest, unpacked for the files in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, create_folder, sha256_file};
use crate::command::run;
use crate::toolchain::Toolchain;
use crate::wheels::unpack_wheel;
use crate::{BuildError, Progress};

/// Which wheel.
pub(crate) struct PinnedWheel<'a> {
    /// Its name at the index.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// Of the whole file, in hexadecimal.
    pub(crate) sha256: &'a str,
    /// The kind of machine that it is for; none: any.
    pub(crate) platform: Option<&'a str>,
    /// What is in it, for the user.
    pub(crate) content: &'a str,
}

impl PinnedWheel<'_> {
    /// `NAME==VERSION`.
    pub(crate) fn requirement(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// Downloads it and unpacks it into `folder`.
    ///
    /// # Errors
    /// The package index did not answer, or has another file under this name.
    pub(crate) fn unpack(
        &self,
        cache: &Cache,
        toolchain: &Toolchain,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        let scratch = cache.scratch()?;
        let wheel = self.download(toolchain, scratch.path(), progress)?;
        let found = sha256_file(&wheel)?;
        if found != self.sha256 {
            let hint = "the package index serves another file under this name".into();
            let (what, expected) = (self.requirement(), self.sha256.into());
            return Err(BuildError::Digest { what, expected, found, hint });
        }
        create_folder(folder)?;
        unpack_wheel(toolchain, &wheel, folder, self.content, progress)
    }

    /// A wheel for a kind of machine may be the same for every Python, but is named for one: that one is asked for.
    fn download(
        &self,
        toolchain: &Toolchain,
        to: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, BuildError> {
        let mut pip = toolchain.python();
        pip.args([
            "-I",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        if let Some(platform) = self.platform {
            pip.args(["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"]);
            pip.args(["--platform", platform]);
        }
        pip.arg("--dest").arg(to).arg(self.requirement());
        run(&mut pip, progress)?.success(&format!("downloading {}", self.content))?;
        let found = fs::read_dir(to).map_err(BuildError::io("read", to))?.flatten().map(|entry| entry.path());
        let mut wheels = found.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
        wheels
            .next()
            .ok_or_else(|| BuildError::Internal(format!("pip left no wheel of {}", self.requirement())))
    }
}
