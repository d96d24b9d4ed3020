//! The module that every component of Python carries, in C of our own. It stands compiled in the tree, beside its source, so
//! that a build needs no C compiler for it; a test makes it again and compares.

use std::fs;

use super::Wheels;
use super::c;
use crate::command::run;
use crate::{BuildError, assets};

impl Wheels<'_> {
    /// Compiles the module that makes a snapshot's objects immortal.
    pub(crate) fn snapshot_module(&self) -> Result<Vec<u8>, BuildError> {
        let clang = self.clang()?;
        let work = self.cache.scratch()?;
        let (source, object) = (work.path().join("module.c"), work.path().join("module.o"));
        fs::write(&source, assets::SNAPSHOT_SOURCE).map_err(BuildError::io("write", &source))?;
        let mut compile = clang.tool("clang");
        compile.current_dir(work.path()).args(clang.flags(work.path()));
        run(compile.args(["-c", "module.c", "-o"]).arg(&object), self.progress)?
            .success("compiling the snapshot's module")?;
        let module = work.path().join("module.so");
        c::link(&clang, self.toolchain, assets::SNAPSHOT_NAME, &[object], &module, self.progress)?;
        fs::read(&module).map_err(BuildError::io("read", &module))
    }
}
