//! The apps that are measured, and the components made of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fasterapi_builder::{BuildRequest, Builder, Cache, Event, Target};

/// The folder of this crate.
#[must_use]
pub fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of an app under `apps/`.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    crate_folder().join("apps").join(name)
}

/// The component of the Python app `name`, built now unless the builder's cache has it.
///
/// # Errors
/// The build's.
pub fn component(name: &str) -> Result<PathBuf> {
    let target: Target = "main:app".parse()?;
    let output = output(name)?;
    let request = BuildRequest { target, dir: folder(name), output: output.clone() };
    let progress = |event: Event<'_>| {
        if let Event::Started(step) = event {
            eprintln!("    {step}");
        }
    };
    Builder::new(Cache::open()?).build(&request, &progress).with_context(|| format!("app {name}"))?;
    Ok(output)
}

/// The component that does nothing but answer (`apps/bare/guest.wat`).
///
/// # Errors
/// The text does not assemble, or the cache cannot be written.
pub fn empty_guest() -> Result<PathBuf> {
    let output = output("empty-guest")?;
    fs::write(&output, assembled()?)?;
    Ok(output)
}

fn assembled() -> Result<Vec<u8>> {
    Ok(wat::parse_file(folder("bare").join("guest.wat"))?)
}

/// The folder in the user's cache that is ours.
///
/// # Errors
/// There is none, or it cannot be made.
pub fn cache_folder() -> Result<PathBuf> {
    let folder = Cache::open()?.root().join("benches");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn output(name: &str) -> Result<PathBuf> {
    Ok(cache_folder()?.join(Path::new(name).with_extension("wasm")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_guest_assembles() {
        assert!(assembled().unwrap().starts_with(b"\0asm\x0d"));
    }
}
