//! Wheels with native extensions for the guest, built from the recipes in `guest-sdk/wasi-wheels`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::cache::{Cache, Key, KeyMaker, create_folder, sha256_file};
use crate::command::run;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress, assets};

/// The Debian packages that building the wheels takes.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

const KIND: &str = "wasi-wheels";
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LINKER: &str = "/usr/bin/wasm-ld-22";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Recipe {
    name: String,
    version: String,
    sdist_sha256: String,
    library: String,
    module: String,
    python: String,
    module_sha256: String,
    toolchain: RecipeToolchain,
}

#[derive(Debug, Deserialize)]
struct RecipeToolchain {
    rust: String,
    python: String,
    target: String,
    tag: String,
    rustflags: Vec<String>,
}

/// The folder with the wheels, for pip's `--find-links`. Made when it is not there: minutes of CPU.
pub(crate) fn ensure(
    cache: &Cache,
    toolchain: &Toolchain,
    progress: &dyn Progress,
) -> Result<PathBuf, BuildError> {
    let key = KeyMaker::default().part(assets::PYDANTIC_CORE).part(assets::WHEEL_SCRIPT).finish();
    cache.entry("wasi-wheels", &key, |folder| {
        let recipe: Recipe = toml::from_str(assets::PYDANTIC_CORE)
            .map_err(|error| BuildError::Internal(format!("the recipe is malformed: {error}")))?;
        let name = format!("build {} {} for WASI (minutes, once)", recipe.name, recipe.version);
        check_tools(&recipe.toolchain)?;
        let work = cache.scratch()?;
        step(progress, &name, || {
            Build { recipe: &recipe, toolchain, work: work.path(), progress }.wheel(folder)
        })
    })
}

/// The Debian packages that [`ensure`] would miss; none when the wheels are there already.
pub(crate) fn missing_packages(cache: &Cache) -> Result<Vec<&'static str>, BuildError> {
    let source = rust_source(&recipe()?.toolchain.rust);
    if cache.find(KIND, &key()).is_some()
        || [RUSTC, CARGO, LINKER, &source].iter().all(|path| Path::new(path).exists())
    {
        return Ok(Vec::new());
    }
    Ok(DEBIAN_PACKAGES.to_vec())
}

fn key() -> Key {
    KeyMaker::default().part(assets::PYDANTIC_CORE).part(assets::WHEEL_SCRIPT).finish()
}

fn recipe() -> Result<Recipe, BuildError> {
    toml::from_str(assets::PYDANTIC_CORE)
        .map_err(|error| BuildError::Internal(format!("the recipe is malformed: {error}")))
}

/// One clear error before minutes of work.
fn check_tools(wanted: &RecipeToolchain) -> Result<(), BuildError> {
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

struct Build<'a> {
    recipe: &'a Recipe,
    toolchain: &'a Toolchain,
    work: &'a Path,
    progress: &'a dyn Progress,
}

impl Build<'_> {
    fn wheel(&self, folder: &Path) -> Result<(), BuildError> {
        let source = self.unpack_sdist()?;
        self.write_pyo3_config()?;
        run(self.cargo(&source)?.args(["fetch", "--locked"]), self.progress)?.success("`cargo fetch`")?;
        let mut build = self.cargo(&source)?;
        build.args(["build", "--release", "--locked", "--lib", "-Zbuild-std=std,panic_abort", "--target"]);
        build.arg(&self.recipe.toolchain.target);
        run(&mut build, self.progress)?.success(&format!("building {} for WASI", self.recipe.name))?;
        let module = self.work.join("target").join(&self.recipe.toolchain.target).join("release");
        let module = module.join(&self.recipe.library);
        self.check_digest("the WASI module of", &module, &self.recipe.module_sha256)?;
        self.pack(&source, &module, folder)
    }

    fn unpack_sdist(&self) -> Result<PathBuf, BuildError> {
        let Recipe { name, version, sdist_sha256, .. } = self.recipe;
        let mut download = self.toolchain.script(assets::SDIST_SCRIPT);
        run(download.args([name, version]).arg(self.work), self.progress)?
            .success("downloading the source")?;
        let stem = format!("{}-{version}", name.replace('-', "_"));
        let archive = self.work.join(format!("{stem}.tar.gz"));
        self.check_digest("the source archive of", &archive, sdist_sha256)?;
        let mut unpack = self.toolchain.python();
        unpack.args(["-I", "-m", "tarfile", "-e"]).arg(&archive).arg(self.work.join("src"));
        run(&mut unpack, self.progress)?.success("unpacking the source")?;
        Ok(self.work.join("src").join(stem))
    }

    /// PyO3 would ask an interpreter; there is none that runs here.
    fn write_pyo3_config(&self) -> Result<(), BuildError> {
        let python = &self.recipe.toolchain.python;
        let lib_dir = self.toolchain.libraries();
        let text = format!(
            "implementation=CPython\nversion={python}\nshared=true\nlib_name=python{python}\nlib_dir={}\n\
             pointer_width=32\nbuild_flags=\nsuppress_build_script_link_lines=false\n",
            lib_dir.display()
        );
        let path = self.pyo3_config();
        fs::write(&path, text).map_err(BuildError::io("write", &path))
    }

    fn pyo3_config(&self) -> PathBuf {
        self.work.join("pyo3-config.txt")
    }

    /// Debian's cargo in an environment of its own: nothing of the cargo that may be running us gets in.
    fn cargo(&self, source: &Path) -> Result<Command, BuildError> {
        let kept =
            ["HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy"];
        let kept = kept.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let mut command = Command::new(CARGO);
        command.current_dir(source).env_clear().envs(kept);
        command.env("PATH", "/usr/bin:/bin").env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
        command
            .env("CARGO_HOME", self.work.join("cargo-home"))
            .env("CARGO_TARGET_DIR", self.work.join("target"));
        command.env("PYO3_CONFIG_FILE", self.pyo3_config()).env("CARGO_TERM_COLOR", "never");
        command.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags()?.join("\u{1f}"));
        Ok(command)
    }

    /// The recipe's flags, and no path of this machine in the module: panics carry file names.
    fn rustflags(&self) -> Result<Vec<String>, BuildError> {
        let mut flags = vec![format!("-Clinker={LINKER}")];
        flags.extend(self.recipe.toolchain.rustflags.iter().cloned());
        let mut remap =
            |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        remap(self.work, "/build");
        remap(Path::new(&rust_source(&self.recipe.toolchain.rust)), "/rust");
        // The folder's name depends on the address of the index, which may be a mirror.
        let registry = self.work.join("cargo-home/registry/src");
        for entry in fs::read_dir(&registry).into_iter().flatten() {
            let entry = entry.map_err(BuildError::io("read", &registry))?;
            remap(&entry.path(), "/build/cargo-home/registry/src/index.crates.io-1949cf8c6b5b557f");
        }
        Ok(flags)
    }

    fn check_digest(&self, what: &str, file: &Path, expected: &str) -> Result<(), BuildError> {
        let found = sha256_file(file)?;
        if found == expected {
            return Ok(());
        }
        Err(BuildError::Digest {
            what: format!("{what} {} {}", self.recipe.name, self.recipe.version),
            expected: expected.to_owned(),
            found,
            hint: format!(
                "the recipe is for rustc {} and its LLVM's linker, from Debian",
                self.recipe.toolchain.rust
            ),
        })
    }

    fn pack(&self, source: &Path, module: &Path, folder: &Path) -> Result<(), BuildError> {
        let Recipe { name, version, python, module: path, toolchain, .. } = self.recipe;
        create_folder(folder)?;
        let mut pack = self.toolchain.script(assets::WHEEL_SCRIPT);
        pack.args([name, version, &toolchain.tag]).arg(source).arg(python).arg(module).arg(path).arg(folder);
        run(&mut pack, self.progress)?.success("packing the wheel").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_well_formed() {
        let recipe: Recipe = toml::from_str(assets::PYDANTIC_CORE).unwrap();
        assert_eq!(recipe.module_sha256.len(), 64);
        assert!(recipe.module.ends_with(".cpython-314-wasm32-wasi.so"));
        let packages: toml::Table = toml::from_str(assets::PACKAGES).unwrap();
        let pinned = packages["constraints"]["pydantic-core"].as_str().unwrap();
        assert_eq!(
            pinned,
            format!("=={}", recipe.version),
            "the SDK takes the version that the recipe builds"
        );
    }

    #[test]
    fn a_missing_toolchain_names_the_packages() {
        let wanted = RecipeToolchain {
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
