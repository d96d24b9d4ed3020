//! Extension modules in C, compiled and linked as shared libraries of the component.

use std::path::{Path, PathBuf};

use super::clang::Clang;
use super::pack::Source;
use super::recipe::{CCode, Native};
use crate::command::run;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress};

/// Builds the extension module of the source in `unpacked`: the file.
pub(super) fn build(
    source: &Source<'_>,
    native: &Native,
    code: &CCode,
    clang: &Clang,
    unpacked: &Path,
) -> Result<PathBuf, BuildError> {
    let compile = |file: &String| compile(clang, &code.flags, unpacked, source.work, file, source.progress);
    let objects = code.sources.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let module = source.work.join("module.so");
    link(clang, source.toolchain, name(&native.module), &objects, &module, source.progress)?;
    Ok(module)
}

/// Links the extension module `name`.
pub(super) fn link(
    clang: &Clang,
    toolchain: &Toolchain,
    name: &str,
    objects: &[PathBuf],
    module: &Path,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let libraries = toolchain.libraries();
    let mut link = clang.tool("wasm-ld");
    link.args(&clang.pinned.link_flags).arg(format!("--export=PyInit_{name}"));
    link.args(objects).arg(clang.runtime());
    link.args(["libpython3.14.so", "libc.so"].map(|name| libraries.join(name)));
    run(link.arg("-o").arg(module), progress)?.success("linking for WASI").map(drop)
}

/// Compiles `file`, which stands in `sources`, to an object in `work`.
pub(super) fn compile(
    clang: &Clang,
    flags: &[String],
    sources: &Path,
    work: &Path,
    file: &str,
    progress: &dyn Progress,
) -> Result<PathBuf, BuildError> {
    let object = work.join(file.replace('/', "-")).with_extension("o");
    let mut compile = clang.tool("clang");
    compile.current_dir(sources).args(clang.flags(work)).args(flags);
    compile.args(["-c", file, "-o"]).arg(&object);
    run(&mut compile, progress)?.success(&format!("compiling {file} for WASI"))?;
    Ok(object)
}

/// A module's own name: `_core` of `msgspec/_core.cpython-314-wasm32-wasi.so`.
fn name(module: &str) -> &str {
    let file = module.rsplit('/').next().unwrap_or(module);
    file.split('.').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_name_is_what_python_looks_for() {
        assert_eq!(name("msgspec/_core.cpython-314-wasm32-wasi.so"), "_core");
        assert_eq!(name("_regex.cpython-314-wasm32-wasi.so"), "_regex");
    }
}
