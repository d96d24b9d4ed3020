//! A C compiler for WASI that pip can get, on any machine: clang and its linker out of Zig's package, with WASI's
//! headers, and Python's out of another one.
//!
//! A WASI SDK is on no package index, and Debian's wasi-libc is older than the libc that componentize-py carries. Of
//! Zig's own compiler only the functions are taken that clang's code calls (128 bit arithmetic and such): componentize-py's
//! libc keeps its own to itself.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::recipe::CToolchain;
use crate::cache::{Cache, KeyMaker};
use crate::command::run;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress};

const ZIG: &str = "ziglang/zig";
const RUNTIME: &str = "compiler_rt.o";

/// The compiler, unpacked.
pub(super) struct Clang {
    folder: PathBuf,
    pub(super) pinned: CToolchain,
}

impl Clang {
    /// Finds the compiler, or gets it (100 MB) and compiles its runtime (seconds).
    pub(super) fn ensure(
        cache: &Cache,
        toolchain: &Toolchain,
        progress: &dyn Progress,
    ) -> Result<Self, BuildError> {
        let pinned = CToolchain::pinned()?;
        let mut key = KeyMaker::default().part(toolchain.name());
        pinned.packages.iter().for_each(|package| key.add(package));
        let folder = cache.entry("c-toolchain", &key.finish(), |folder| {
            step(progress, "get a C compiler for WASI (100 MB, once)", || {
                install(&pinned, toolchain, folder, progress)?;
                compile_runtime(cache, folder, progress)
            })
        })?;
        Ok(Self { folder, pinned })
    }

    /// One of the compiler's tools, with nothing of the user's environment.
    pub(super) fn tool(&self, name: &str) -> Command {
        tool(&self.folder, name)
    }

    pub(super) fn runtime(&self) -> PathBuf {
        self.folder.join(RUNTIME)
    }

    /// The flags of every compilation, so that no path of this machine is in what comes out.
    pub(super) fn flags(&self, work: &Path) -> Vec<OsString> {
        let map = |from: &Path, to: &str| {
            let mut flag = OsString::from("-ffile-prefix-map=");
            flag.push(from);
            flag.push(to);
            flag
        };
        let mut flags: Vec<OsString> = self.pinned.flags.iter().map(OsString::from).collect();
        flags.extend([map(work, "=/build"), map(&self.folder, "=/compiler")]);
        for headers in &self.pinned.headers {
            flags.extend(["-isystem".into(), self.folder.join(headers).into_os_string()]);
        }
        flags
    }

    /// What Rust's `cc` crate looks for in the environment of a build script. It wants programs.
    pub(super) fn variables(&self, target: &str, work: &Path) -> Result<Vec<(String, OsString)>, BuildError> {
        let target = target.replace('-', "_");
        let mut variables = vec![(format!("CFLAGS_{target}"), self.flags(work).join(" ".as_ref()))];
        for (variable, name) in [("CC", "clang"), ("AR", "ar")] {
            let program = work.join(name);
            let text = format!("#!/bin/sh\nexec '{}' {name} \"$@\"\n", self.folder.join(ZIG).display());
            fs::write(&program, text).map_err(BuildError::io("write", &program))?;
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
                .map_err(BuildError::io("write", &program))?;
            variables.push((format!("{variable}_{target}"), program.into_os_string()));
        }
        Ok(variables)
    }
}

fn install(
    pinned: &CToolchain,
    toolchain: &Toolchain,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, pinned.packages.join("\n")).map_err(BuildError::io("write", &requirements))?;
    let mut pip = toolchain.python();
    pip.args(["-I", "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile"]);
    pip.args(["--only-binary=:all:", "--require-hashes", "--target"]).arg(folder);
    run(pip.arg("--requirement").arg(&requirements), progress)?
        .success("`pip install` of the C compiler")
        .map(drop)
}

fn compile_runtime(cache: &Cache, folder: &Path, progress: &dyn Progress) -> Result<(), BuildError> {
    let scratch = cache.scratch()?;
    let mut zig = tool(folder, "build-obj");
    zig.arg(folder.join("ziglang/lib/compiler_rt.zig")).current_dir(scratch.path());
    zig.args(["-target", "wasm32-wasi", "-fPIC", "-fstrip", "-OReleaseSmall"]);
    zig.env("ZIG_GLOBAL_CACHE_DIR", scratch.path()).env("ZIG_LOCAL_CACHE_DIR", scratch.path());
    run(&mut zig, progress)?.success("compiling the C compiler's runtime")?;
    let made = scratch.path().join(RUNTIME);
    fs::copy(&made, folder.join(RUNTIME)).map_err(BuildError::io("copy", &made)).map(drop)
}

fn tool(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(folder.join(ZIG));
    command.env_clear().env("PATH", "/usr/bin:/bin").arg(name);
    command
}
