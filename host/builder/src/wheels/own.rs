//! The module that every component of Python carries, in C of our own. It stands compiled in the tree, beside its source, so
//! that a build needs no C compiler for it; a test makes it again and compares.

use std::fs;

use super::Wheels;
use super::c;
use crate::{BuildError, assets};

impl Wheels<'_> {
    /// Compiles the module that readies a snapshot.
    pub(crate) fn snapshot_module(&self) -> Result<Vec<u8>, BuildError> {
        let clang = self.clang()?;
        let work = self.cache.scratch()?;
        let work = work.path();
        for (name, text) in assets::SNAPSHOT_SOURCES {
            let path = work.join(name);
            fs::write(&path, text).map_err(BuildError::io("write", &path))?;
        }
        let sources = assets::SNAPSHOT_SOURCES.iter().filter(|(name, _)| name.ends_with(".c"));
        let objects = sources
            .map(|(name, _)| c::compile(&clang, &[], work, work, name, self.progress))
            .collect::<Result<Vec<_>, _>>()?;
        let module = work.join("module.so");
        c::link(&clang, self.toolchain, assets::SNAPSHOT_NAME, &objects, &module, self.progress)?;
        fs::read(&module).map_err(BuildError::io("read", &module))
    }
}
