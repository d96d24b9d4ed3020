//! What the binary carries: the Python SDK, the WIT files, the scripts and the recipes.

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

use crate::cache::{KeyMaker, create_folder};
use crate::{BuildError, sdk_metadata};

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/python/fasterapi");
static STAND_INS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/wasi-wheels/stand-ins");
static WHEELS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-sdk/wasi-wheels");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

pub(crate) const LIBS_SCRIPT: &str = include_str!("../python/libs.py");
pub(crate) const SDIST_SCRIPT: &str = include_str!("../python/sdist.py");
pub(crate) const WHEEL_SCRIPT: &str = include_str!("../python/wheel.py");
pub(crate) const INSTALL_SCRIPT: &str = include_str!("../python/install.py");
pub(crate) const COMPILE_MODULE: &str = include_str!("../python/compile_site.py");
pub(crate) const NATIVE_TOOLCHAIN: &str = include_str!("../../../guest-sdk/wasi-wheels/toolchain.toml");
pub(crate) const C_TOOLCHAIN: &str = include_str!("../../../guest-sdk/wasi-wheels/c-toolchain.toml");
pub(crate) const PACKAGES: &str = include_str!("../../../guest-sdk/wasi-wheels/packages.toml");

/// The module in C that readies a snapshot: its name, its sources, and what is compiled of them.
pub(crate) const SNAPSHOT_NAME: &str = "_fasterapi_snapshot";
pub(crate) const SNAPSHOT_SOURCES: [(&str, &str); 3] = [
    ("heap.h", include_str!("../../../guest-sdk/snapshot/heap.h")),
    ("heap.c", include_str!("../../../guest-sdk/snapshot/heap.c")),
    ("module.c", include_str!("../../../guest-sdk/snapshot/_fasterapi_snapshot.c")),
];
const SNAPSHOT: &[u8] =
    include_bytes!("../../../guest-sdk/snapshot/_fasterapi_snapshot.cpython-314-wasm32-wasi.so");

/// Writes the SDK's package to `folder/fasterapi` with its metadata, and the stand-ins for packages that are left out.
pub(crate) fn write_sdk(folder: &Path) -> Result<(), BuildError> {
    write_tree(&STAND_INS, folder)?;
    let module = folder.join(format!("{SNAPSHOT_NAME}.cpython-314-wasm32-wasi.so"));
    fs::write(&module, SNAPSHOT).map_err(BuildError::io("write", &module))?;
    sdk_metadata::write(folder)?;
    write_tree(&SDK, &folder.join("fasterapi"))
}

/// Writes the WIT files to `folder`.
pub(crate) fn write_wit(folder: &Path) -> Result<(), BuildError> {
    write_tree(&WIT, folder)
}

/// The text of each recipe for a wheel, and the files that stand beside it.
pub(crate) fn recipes() -> impl Iterator<Item = (&'static str, Vec<(PathBuf, &'static str)>)> {
    WHEELS.dirs().filter_map(|folder| {
        let recipe = folder.path().join("recipe.toml");
        let text = folder.get_file(&recipe)?.contents_utf8()?;
        let mut beside = Vec::new();
        add_texts(folder, folder.path(), &mut beside);
        beside.retain(|(path, _)| path != Path::new("recipe.toml"));
        Some((text, beside))
    })
}

/// The texts in a folder and below, by their paths from `root`.
fn add_texts(folder: &Dir<'static>, root: &Path, texts: &mut Vec<(PathBuf, &'static str)>) {
    for entry in folder.entries().iter().filter(|entry| !is_compiled(entry.path())) {
        match entry {
            DirEntry::Dir(folder) => add_texts(folder, root, texts),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(root).unwrap_or(file.path());
                texts.extend(file.contents_utf8().map(|text| (path.to_owned(), text)));
            }
        }
    }
}

/// Feeds everything embedded that goes into a component into a key.
pub(crate) fn add_to(key: &mut KeyMaker) {
    add_tree(&SDK, key);
    add_tree(&STAND_INS, key);
    add_tree(&WIT, key);
    key.add(SNAPSHOT);
    for text in [COMPILE_MODULE, INSTALL_SCRIPT, PACKAGES, sdk_metadata::PYPROJECT] {
        key.add(text);
    }
}

/// A developer's checkout has compiled files beside the sources; they are of another Python.
fn is_compiled(path: &Path) -> bool {
    path.ends_with("__pycache__") || path.extension().is_some_and(|extension| extension == "pyc")
}

fn write_tree(dir: &Dir<'_>, folder: &Path) -> Result<(), BuildError> {
    create_folder(folder)?;
    for entry in dir.entries().iter().filter(|entry| !is_compiled(entry.path())) {
        let path = folder.join(entry.path().file_name().unwrap_or_default());
        match entry {
            DirEntry::Dir(dir) => write_tree(dir, &path)?,
            DirEntry::File(file) => {
                fs::write(&path, file.contents()).map_err(BuildError::io("write", &path))?
            }
        }
    }
    Ok(())
}

fn add_tree(dir: &Dir<'_>, key: &mut KeyMaker) {
    for entry in dir.entries().iter().filter(|entry| !is_compiled(entry.path())) {
        key.add(entry.path().as_os_str().as_encoded_bytes());
        match entry {
            DirEntry::Dir(dir) => add_tree(dir, key),
            DirEntry::File(file) => key.add(file.contents()),
        }
    }
}
