//! Wheels by recipe: made here, or taken from where somebody built them before.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use fasterapi_builder::{BuildError, Builder, Cache, Event};

/// Puts every wheel of the user's own cache into `folder`.
fn copy_all(folder: &Path) {
    let made = Builder::new(Cache::open().unwrap()).all_wheels(&|_: Event<'_>| {}).unwrap();
    for wheel in made.iter().flat_map(|folder| fs::read_dir(folder).unwrap().flatten()) {
        fs::copy(wheel.path(), folder.join(wheel.file_name())).unwrap();
    }
}

/// Writes another module into the wheel whose name begins with `name`.
fn spoil(folder: &Path, name: &str) {
    let wheels = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut named = wheels.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(name));
    let script = "import sys, zipfile\nold = zipfile.ZipFile(sys.argv[1])\nfiles = {n: old.read(n) for n in old.namelist()}\n\
                  with zipfile.ZipFile(sys.argv[1], 'w') as new:\n\
                  \x20   [new.writestr(n, b'\\0asm' if n.endswith('.so') else d) for n, d in files.items()]\n";
    let status = Command::new("python3").args(["-c", script]).arg(named.next().unwrap()).status();
    assert!(status.unwrap().success());
}

#[test]
fn native_wheels_are_taken_from_where_they_were_built_but_only_the_recipes_own() {
    let (links, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_all(links.path());
    let builder = || {
        let links = vec![links.path().display().to_string()];
        Builder::new(Cache::at(cache.path().to_owned())).with_links(links)
    };
    let steps = Mutex::new(Vec::new());
    let note = |event: Event<'_>| {
        if let Event::Started(step) = event {
            steps.lock().unwrap().push(step.to_owned());
        }
    };
    let made = builder().all_wheels(&note).unwrap();
    let steps = steps.into_inner().unwrap();
    assert!(made.len() >= 3 && !steps.iter().any(|step| step.contains("for WASI")), "{steps:?}");

    spoil(links.path(), "pydantic_core");
    fs::remove_dir_all(cache.path().join("wasi-wheels")).unwrap();
    let error = builder().all_wheels(&|_: Event<'_>| {}).unwrap_err();
    assert!(matches!(error, BuildError::Digest { .. }), "{error}");
    assert!(error.to_string().starts_with("the prebuilt WASI module of pydantic-core "), "{error}");
}

#[test]
fn the_snapshots_module_in_the_tree_is_what_its_source_makes() {
    let kept =
        include_bytes!("../../../../guest-sdk/snapshot/_fasterapi_snapshot.cpython-314-wasm32-wasi.so");
    let made = Builder::new(Cache::open().unwrap()).snapshot_module(&|_: Event<'_>| {}).unwrap();
    assert!(made == kept, "guest-sdk/snapshot has changed: cargo xtask snapshot");
}
