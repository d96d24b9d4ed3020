//! The recipes of `guest-sdk/wasi-wheels`, as they are embedded.

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
}

/// An extension module in Rust.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Native {
    /// The cdylib that cargo makes.
    pub(crate) library: String,
    /// Where it goes in the wheel.
    pub(crate) module: String,
    /// What it must be, to the byte.
    pub(crate) module_sha256: String,
}

/// What native recipes are built with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NativeToolchain {
    pub(crate) rust: String,
    pub(crate) python: String,
    pub(crate) target: String,
    pub(crate) tag: String,
    pub(crate) rustflags: Vec<String>,
}

const PURE_TAG: &str = "py3-none-any";

impl Recipe {
    /// All of them, by name.
    pub(crate) fn all() -> Result<Vec<Self>, BuildError> {
        let mut recipes = assets::recipes().map(parse).collect::<Result<Vec<Self>, _>>()?;
        recipes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(recipes)
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
        if self.native.is_some() {
            key.add(assets::NATIVE_TOOLCHAIN);
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
