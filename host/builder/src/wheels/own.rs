//! The module that every component of Python carries, in C of our own. It stands compiled in the tree, beside its source, so
//! that a build needs no C compiler for it; a test makes it again and compares.

use std::fs;

use super::Wheels;
use super::c;
use crate::command::run;
use crate::{BuildError, assets};

impl Wheels<'_> {
    /// Compiles the module that readies a snapshot.
    pub(crate) fn snapshot_module(&self) -> Result<Vec<u8>, BuildError> {
        let clang = self.clang()?;
        let work = self.cache.scratch()?;
        for (name, text) in assets::SNAPSHOT_SOURCES {
            let path = work.path().join(name);
            fs::write(&path, text).map_err(BuildError::io("write", &path))?;
        }
        let mut objects = Vec::new();
        for (name, _) in assets::SNAPSHOT_SOURCES.iter().filter(|(name, _)| name.ends_with(".c")) {
            let object = work.path().join(name).with_extension("o");
            let mut compile = clang.tool("clang");
            compile.current_dir(work.path()).args(clang.flags(work.path()));
            run(compile.args(["-c", name, "-o"]).arg(&object), self.progress)?
                .success("compiling the snapshot's module")?;
            objects.push(object);
        }
        let module = work.path().join("module.so");
        c::link(&clang, self.toolchain, assets::SNAPSHOT_NAME, &objects, &module, self.progress)?;
        fs::read(&module).map_err(BuildError::io("read", &module))
    }
}
