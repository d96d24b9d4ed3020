//! Running componentize-py.

use std::fs;
use std::path::Path;

use crate::assets;
use crate::cache::create_folder;
use crate::command::{Outcome, run};
use crate::toolchain::Toolchain;
use crate::{BuildError, Event};

/// One run of componentize-py. The guest's Python may write to every folder: give it copies.
pub(crate) struct Componentize<'a> {
    pub(crate) toolchain: &'a Toolchain,
    /// Mounted as `/0`, `/1` … and searched in this order.
    pub(crate) folders: &'a [&'a Path],
    pub(crate) world: &'a str,
    pub(crate) module: &'a str,
    pub(crate) output: &'a Path,
}

impl Componentize<'_> {
    /// Runs it, with `work` as a place for temporary files. An unsuccessful end is in the outcome.
    pub(crate) fn run(&self, work: &Path) -> Result<Outcome, BuildError> {
        let wit = work.join("wit");
        assets::write_wit(&wit)?;
        let mut command = self.toolchain.componentize();
        command.arg("--wit-path").arg(&wit).args(["--world", self.world, "componentize"]);
        for folder in self.folders {
            command.arg("--python-path").arg(folder);
        }
        command.arg("--output").arg(self.output).arg(self.module).current_dir(work).env("TMPDIR", work);
        // Its output is about the guest's Python, which reports through a file of its own.
        run(&mut command, &|_: Event<'_>| {})
    }
}

/// Copies a folder and all in it; `to` is made.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), BuildError> {
    create_folder(to)?;
    for entry in fs::read_dir(from).map_err(BuildError::io("read", from))? {
        let entry = entry.map_err(BuildError::io("read", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(BuildError::io("copy", &path))?;
        }
    }
    Ok(())
}
