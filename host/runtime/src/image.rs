//! The cache of compiled images.
//!
//! An image is native code: it is loaded only from here, where only this program writes (a folder of mode 0700),
//! under a name made of the component's digest and of the engine's own compatibility hash. A file that does not
//! load is compiled anew. The least recently used go when there are too many: who serves from one has it mapped, and
//! keeps it.

use std::{
    fs,
    hash::{Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::{engine::Engine, error::LoadError, shelf};

const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
const MAGIC: &[u8] = b"\0asm";

const IMAGE: &str = "cwasm";

/// How many images stay, some 60 MB each.
const KEPT: usize = 20;

/// A folder of compiled images.
#[derive(Clone, Debug)]
pub struct ImageCache {
    folder: PathBuf,
}

/// Feeds `Hash` into SHA-256, for the engine's compatibility hash.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

impl ImageCache {
    /// Uses `folder`, made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        Ok(Self { folder: shelf::open(folder)? })
    }

    /// The compiled form of `component`, compiled now when it is not here. `compiling` is called before a compile,
    /// which takes seconds of all cores.
    ///
    /// # Errors
    /// When `component` is no valid component, or the folder cannot be written.
    pub fn load(
        &self,
        engine: &Engine,
        component: &[u8],
        compiling: impl FnOnce(),
    ) -> Result<Component, LoadError> {
        check_kind(component)?;
        let path = self.path(engine, component);
        if let Some(image) = load_image(engine, &path) {
            return Ok(image);
        }
        compiling();
        let image = engine.wasmtime().precompile_component(component);
        let image = image.map_err(|error| LoadError::Corrupt(first_line(&error)))?;
        self.store(&path, &image).map_err(|source| LoadError::Cache { path: path.clone(), source })?;
        drop(image);
        give_back_memory();
        load_image(engine, &path).ok_or_else(|| LoadError::Engine("a fresh image does not load".into()))
    }

    fn path(&self, engine: &Engine, component: &[u8]) -> PathBuf {
        let mut hasher = DigestHasher(Sha256::new());
        engine.wasmtime().precompile_compatibility_hash().hash(&mut hasher);
        let mut digest = hasher.0;
        digest.update(Sha256::digest(component));
        self.folder.join(hex::encode(digest.finalize())).with_extension(IMAGE)
    }

    fn store(&self, path: &Path, image: &[u8]) -> io::Result<()> {
        let mut aside = tempfile::NamedTempFile::new_in(&self.folder)?;
        aside.write_all(image)?;
        aside.persist(path)?;
        self.prune()
    }

    /// Removes all but the images used last.
    fn prune(&self) -> io::Result<()> {
        for old in shelf::beyond(&self.folder, IMAGE, KEPT)? {
            let _ = fs::remove_file(old); // another process may have been quicker
        }
        Ok(())
    }
}

/// A compiler leaves hundreds of megabytes of free memory behind, spread over the allocator's arenas.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "glibc has no safe form of it")]
    // SAFETY: malloc_trim may be called at any time, from any thread; it takes nothing but memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn check_kind(component: &[u8]) -> Result<(), LoadError> {
    if component.starts_with(CORE_MODULE) {
        return Err(LoadError::CoreModule);
    }
    if !component.starts_with(MAGIC) {
        return Err(LoadError::NotWasm);
    }
    Ok(())
}

fn load_image(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::File::options().append(true).open(path).ok()?;
    let _ = file.set_modified(SystemTime::now()); // it was used
    // SAFETY: the file is in this host's own cache folder, which only this user can write, and its name binds it
    // to the component and to this engine's configuration.
    #[allow(unsafe_code, reason = "loading native code has no safe form")]
    let image = unsafe { Component::deserialize_file(engine.wasmtime(), path) };
    image
        .inspect_err(
            |error| tracing::warn!(path = %path.display(), "image does not load, compiling anew: {error:#}"),
        )
        .ok()
}

/// The gist of a wasmtime error, without its chain and its backtrace.
pub(crate) fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{}", error.root_cause());
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_go() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ImageCache::open(folder.path()).unwrap();
        let image = |number: usize| folder.path().join(format!("{number}.cwasm"));
        for number in 0..KEPT + 3 {
            let age = Duration::from_secs(3600 - number as u64);
            fs::File::create(image(number)).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        let engine = Engine::new().unwrap();
        assert!(load_image(&engine, &image(1)).is_none(), "an empty file is no image");
        cache.store(&image(100), b"image").unwrap();
        let left: Vec<_> = (0..KEPT + 3).filter(|number| image(*number).exists()).collect();
        // 1 was used just now; with the new one, there is room for the youngest.
        assert_eq!(left, [1].into_iter().chain(5..KEPT + 3).collect::<Vec<_>>());
        assert!(image(100).exists());
    }
}
