//! The recipes of `guest-sdk/wasi-wheels`, as they are embedded.

use std::path::PathBuf;

use serde::Deserialize;

use crate::cache::{Key, KeyMaker};
use crate::{BuildError, assets};

/// How a wheel for the guest is made of a package's source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    /// The package's name, normalised.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The package whose source archive it is made of, where that is another one.
    pub(crate) sdist: Option<String>,
    pub(crate) sdist_sha256: String,
    /// The source's folder that Python's packages are in.
    pub(crate) python: String,
    /// Which of them go into the wheel.
    pub(crate) packages: Vec<String>,
    /// What it requires, as its metadata has it for the guest: known before it is built.
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    /// Its extension module; none: the Python alone is whole.
    pub(crate) native: Option<Native>,
    /// What stands beside the recipe and is laid over the source, path by path.
    #[serde(skip)]
    pub(crate) over: Vec<(PathBuf, &'static str)>,
}

/// An extension module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Native {
    /// Where it goes in the wheel.
    pub(crate) module: String,
    /// What it must be, to the byte.
    pub(crate) module_sha256: String,
    pub(crate) code: Code,
}

/// What an extension module is made of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    Rust(RustCode),
    C(CCode),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RustCode {
    /// The cdylib that cargo makes.
    pub(crate) library: String,
    /// Where its `Cargo.toml` is, in the source's folder.
    #[serde(default)]
    pub(crate) folder: String,
    /// Whether a build script compiles C.
    #[serde(default)]
    pub(crate) with_c: bool,
    /// For `cargo build`, beside the builder's.
    #[serde(default)]
    pub(crate) cargo: Vec<String>,
    /// For rustc, beside `toolchain.toml`'s.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
}

/// Paths are of the source's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CCode {
    pub(crate) sources: Vec<String>,
    /// For the compiler, beside `c-toolchain.toml`'s.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
}

impl Native {
    pub(crate) fn is_rust(&self) -> bool {
        matches!(self.code, Code::Rust(_))
    }

    pub(crate) fn has_c(&self) -> bool {
        matches!(self.code, Code::C(_) | Code::Rust(RustCode { with_c: true, .. }))
    }
}

/// What native recipes are built with, whatever they are written in, and those in Rust.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NativeToolchain {
    pub(crate) rust: String,
    pub(crate) python: String,
    pub(crate) target: String,
    pub(crate) tag: String,
    pub(crate) rustflags: Vec<String>,
}

/// What C is compiled with, `c-toolchain.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CToolchain {
    /// For pip, with the digests of the files it may take.
    pub(crate) packages: Vec<String>,
    /// For the compiler.
    pub(crate) flags: Vec<String>,
    /// For the linker.
    pub(crate) link_flags: Vec<String>,
    /// Where headers are among the packages.
    pub(crate) headers: Vec<String>,
}

const PURE_TAG: &str = "py3-none-any";

impl Recipe {
    /// All of them, by name.
    pub(crate) fn all() -> Result<Vec<Self>, BuildError> {
        let recipe = |(text, over)| Ok(Self { over, ..parse(text)? });
        let mut recipes = assets::recipes().map(recipe).collect::<Result<Vec<_>, BuildError>>()?;
        recipes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(recipes)
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Result<Self, BuildError> {
        let found = Self::all()?.into_iter().find(|recipe| recipe.name == name);
        found.ok_or_else(|| BuildError::Internal(format!("there is no recipe for {name}")))
    }

    /// The wheel's tag.
    pub(crate) fn tag<'a>(&self, toolchain: &'a NativeToolchain) -> &'a str {
        if self.native.is_some() { &toolchain.tag } else { PURE_TAG }
    }

    /// The file name of its wheel.
    pub(crate) fn wheel(&self, toolchain: &NativeToolchain) -> String {
        format!("{}-{}-{}.whl", self.name.replace('-', "_"), self.version, self.tag(toolchain))
    }

    /// Names what the wheel is made of.
    pub(crate) fn key(&self) -> Key {
        let mut key = KeyMaker::default().part(format!("{self:?}")).part(assets::WHEEL_SCRIPT);
        if let Some(native) = &self.native {
            key.add(assets::NATIVE_TOOLCHAIN);
            if native.has_c() {
                key.add(assets::C_TOOLCHAIN);
            }
        }
        key.finish()
    }
}

impl NativeToolchain {
    /// The one that all native recipes are for.
    pub(crate) fn pinned() -> Result<Self, BuildError> {
        parse(assets::NATIVE_TOOLCHAIN)
    }
}

impl CToolchain {
    /// The one that all C is for.
    pub(crate) fn pinned() -> Result<Self, BuildError> {
        parse(assets::C_TOOLCHAIN)
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, BuildError> {
    toml::from_str(text).map_err(|error| BuildError::Internal(format!("a recipe is malformed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipes_are_well_formed() {
        let recipes = Recipe::all().unwrap();
        assert!(recipes.len() >= 3, "{recipes:?}");
        for Recipe { name, sdist_sha256, native, .. } in &recipes {
            assert_eq!(sdist_sha256.len(), 64, "{name}");
            let Some(native) = native else { continue };
            assert!(native.module_sha256.len() == 64 && !native.module_sha256.starts_with("0000"), "{name}");
            assert!(native.module.ends_with(".cpython-314-wasm32-wasi.so"), "{name}");
        }
        assert!(
            CToolchain::pinned().unwrap().packages.iter().all(|package| package.contains("--hash=sha256:"))
        );
        let packages: toml::Table = toml::from_str(assets::PACKAGES).unwrap();
        let pinned = packages["constraints"]["pydantic-core"].as_str().unwrap();
        let core = recipes.iter().find(|recipe| recipe.name == "pydantic-core").unwrap();
        assert_eq!(pinned, format!("=={}", core.version), "the SDK takes the version that the recipe builds");
        for name in ["refuse", "instead"] {
            let listed = packages[name].as_table().unwrap();
            assert!(
                recipes.iter().all(|recipe| !listed.contains_key(&recipe.name)),
                "{name} has a recipe's name"
            );
        }
    }
}
