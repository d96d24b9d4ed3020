//! Extension modules in Rust, built for WASI with Debian's toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::KIND;
use super::clang::Clang;
use super::pack::Source;
use super::recipe::{Native, NativeToolchain, Recipe, RustCode};
use crate::BuildError;
use crate::cache::Cache;
use crate::command::run;

/// The Debian packages that building takes.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LINKER: &str = "/usr/bin/wasm-ld-22";

/// A recipe's flags may have the linker look here.
const LIBRARIES: &str = ".libraries";

/// The Debian packages that building these would miss; none when their wheels are there already.
pub(crate) fn missing_packages(cache: &Cache, recipes: &[Recipe]) -> Result<Vec<&'static str>, BuildError> {
    let source = rust_source(&NativeToolchain::pinned()?.rust);
    let wanted = |recipe: &&Recipe| {
        recipe.native.as_ref().is_some_and(Native::is_rust) && cache.find(KIND, &recipe.key()).is_none()
    };
    if !recipes.iter().any(|recipe| wanted(&recipe))
        || [RUSTC, CARGO, LINKER, &source].iter().all(|path| Path::new(path).exists())
    {
        return Ok(Vec::new());
    }
    Ok(DEBIAN_PACKAGES.to_vec())
}

/// One clear error before minutes of work.
fn check_tools(wanted: &NativeToolchain) -> Result<(), BuildError> {
    let source = rust_source(&wanted.rust);
    let missing: Vec<&str> =
        [RUSTC, CARGO, LINKER, &source].into_iter().filter(|p| !Path::new(p).exists()).collect();
    let hint = || format!("`apt-get install {}`", DEBIAN_PACKAGES.join(" "));
    if !missing.is_empty() {
        let what = format!("the toolchain for WASI wheels ({})", missing.join(", "));
        return Err(BuildError::ToolMissing { what, hint: hint() });
    }
    let version =
        Command::new(RUSTC).arg("--version").output().map_err(BuildError::io("run", Path::new(RUSTC)))?;
    let version = String::from_utf8_lossy(&version.stdout);
    if version.split(' ').nth(1) != Some(&wanted.rust) {
        let what = format!("rustc {} at {RUSTC} (found: {})", wanted.rust, version.trim_end());
        return Err(BuildError::ToolMissing { what, hint: hint() });
    }
    Ok(())
}

fn rust_source(version: &str) -> String {
    format!("/usr/src/rustc-{version}")
}

/// Builds the extension module of the source in `unpacked`: the file. `clang` compiles the C of its build script.
pub(super) fn build(
    source: &Source<'_>,
    code: &RustCode,
    pinned: &NativeToolchain,
    clang: Option<&Clang>,
    unpacked: &Path,
) -> Result<PathBuf, BuildError> {
    check_tools(pinned)?;
    let unpacked = &unpacked.join(&code.folder);
    // What it says is for its authors' machines, or names crates that it brought, which are not the standard library's.
    let settings = unpacked.join(".cargo");
    if settings.exists() {
        fs::remove_dir_all(&settings).map_err(BuildError::io("remove", &settings))?;
    }
    link_libraries(source, unpacked)?;
    let build = Build { source, pinned, code, clang };
    build.write_pyo3_config()?;
    let progress = source.progress;
    run(build.cargo(unpacked)?.args(["fetch", "--locked"]), progress)?.success("`cargo fetch`")?;
    let mut cargo = build.cargo(unpacked)?;
    cargo.args(["build", "--release", "--locked", "--lib", "-Zbuild-std=std,panic_abort", "--target"]);
    cargo.arg(&pinned.target).args(&code.cargo);
    run(&mut cargo, progress)?.success(&format!("building {} for WASI", source.recipe.name))?;
    Ok(source.work.join("target").join(&pinned.target).join("release").join(&code.library))
}

/// libpython and libc under a name that is the same on every machine: cargo names what it makes by its flags.
fn link_libraries(source: &Source<'_>, folder: &Path) -> Result<(), BuildError> {
    let link = folder.join(LIBRARIES);
    std::os::unix::fs::symlink(source.toolchain.libraries(), &link).map_err(BuildError::io("create", &link))
}

struct Build<'a> {
    source: &'a Source<'a>,
    pinned: &'a NativeToolchain,
    code: &'a RustCode,
    clang: Option<&'a Clang>,
}

impl Build<'_> {
    fn work(&self) -> &Path {
        self.source.work
    }

    /// PyO3 would ask an interpreter; there is none that runs here.
    fn write_pyo3_config(&self) -> Result<(), BuildError> {
        let python = &self.pinned.python;
        let lib_dir = self.source.toolchain.libraries();
        let text = format!(
            "implementation=CPython\nversion={python}\nshared=true\nlib_name=python{python}\nlib_dir={}\n\
             pointer_width=32\nbuild_flags=\nsuppress_build_script_link_lines=false\n",
            lib_dir.display()
        );
        let path = self.pyo3_config();
        fs::write(&path, text).map_err(BuildError::io("write", &path))
    }

    fn pyo3_config(&self) -> PathBuf {
        self.work().join("pyo3-config.txt")
    }

    /// Debian's cargo in an environment of its own: nothing of the cargo that may be running us gets in.
    fn cargo(&self, folder: &Path) -> Result<Command, BuildError> {
        let kept =
            ["HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy"];
        let kept = kept.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let mut command = Command::new(CARGO);
        command.current_dir(folder).env_clear().envs(kept);
        command.env("PATH", "/usr/bin:/bin").env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
        command
            .env("CARGO_HOME", self.work().join("cargo-home"))
            .env("CARGO_TARGET_DIR", self.work().join("target"));
        command.env("PYO3_CONFIG_FILE", self.pyo3_config()).env("CARGO_TERM_COLOR", "never");
        command.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags()?.join("\u{1f}"));
        if let Some(clang) = self.clang {
            command.envs(clang.variables(&self.pinned.target, self.work())?);
        }
        Ok(command)
    }

    /// The recipe's flags, and no path of this machine in the module: panics carry file names.
    fn rustflags(&self) -> Result<Vec<String>, BuildError> {
        let mut flags = vec![format!("-Clinker={LINKER}")];
        flags.extend(self.pinned.rustflags.iter().chain(&self.code.flags).cloned());
        let mut remap =
            |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        remap(self.work(), "/build");
        remap(Path::new(&rust_source(&self.pinned.rust)), "/rust");
        // The folder's name depends on the address of the index, which may be a mirror.
        let registry = self.work().join("cargo-home/registry/src");
        for entry in fs::read_dir(&registry).into_iter().flatten() {
            let entry = entry.map_err(BuildError::io("read", &registry))?;
            remap(&entry.path(), "/build/cargo-home/registry/src/index.crates.io-1949cf8c6b5b557f");
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_toolchain_names_the_packages() {
        let wanted = NativeToolchain {
            rust: "0.0.1".into(),
            python: String::new(),
            target: String::new(),
            tag: String::new(),
            rustflags: Vec::new(),
        };
        let text = check_tools(&wanted).unwrap_err().to_string();
        assert!(text.contains("rustc-0.0.1"), "{text}");
        assert!(text.contains("hint: `apt-get install rustc-web cargo-web rust-web-src lld-22`"), "{text}");
    }
}
