//! Modules compiled beforehand, inside the guest's own Python: no other Python writes its `.pyc` files.
//!
//! They lie in `.pyc` of the site folder, where the SDK's entry module points `sys.pycache_prefix`.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::cache::{Cache, KeyMaker, create_folder};
use crate::component::{Componentize, copy_tree};
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Progress, assets};

const FOLDER: &str = ".pyc";
const MODULE: &str = "_fasterapi_compile_site";
/// Where componentize-py mounts the standard library, and the protocol's third folder.
const STANDARD_LIBRARY: &str = "/python";
const SITE: &str = "/2";

/// Compiles a site folder, and puts the compiled standard library beside it.
pub(crate) fn site(
    cache: &Cache,
    toolchain: &Toolchain,
    site: &Path,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let library = standard_library(cache, toolchain, progress)?;
    copy_tree(&library.join(FOLDER), &site.join(FOLDER))?;
    step(progress, "compile the dependencies for the guest (once)", || compile(cache, toolchain, site, SITE))
}

/// The same for every app, and the longest part.
fn standard_library(
    cache: &Cache,
    toolchain: &Toolchain,
    progress: &dyn Progress,
) -> Result<std::path::PathBuf, BuildError> {
    let key = KeyMaker::default().part(toolchain.name()).part(assets::COMPILE_MODULE).finish();
    cache.entry("stdlib", &key, |folder| {
        step(progress, "compile the standard library for the guest (once)", || {
            compile(cache, toolchain, folder, STANDARD_LIBRARY)
        })
    })
}

/// Compiles the modules in `what`, a path inside the guest, to `.pyc` of `site`.
fn compile(cache: &Cache, toolchain: &Toolchain, site: &Path, what: &str) -> Result<(), BuildError> {
    let scratch = cache.scratch()?;
    let (meta, app) = (scratch.path().join("meta"), scratch.path().join("app"));
    create_folder(&meta)?;
    create_folder(&app)?;
    let write = |name: &str, text: &str| {
        let path = meta.join(name);
        fs::write(&path, text).map_err(BuildError::io("write", &path))
    };
    write(&format!("{MODULE}.py"), assets::COMPILE_MODULE)?;
    write("job.json", &json!({"folder": what}).to_string())?;
    let output = scratch.path().join("unused.wasm");
    let job = Componentize {
        toolchain,
        folders: &[&meta, &app, site],
        world: "app",
        module: MODULE,
        output: &output,
    };
    let outcome = job.run(scratch.path())?;
    // The module stops componentize-py on purpose; what it left tells whether it came to its end.
    if meta.join("compiled.json").is_file() {
        return Ok(());
    }
    outcome.success("compiling modules for the guest").map(drop)
}
