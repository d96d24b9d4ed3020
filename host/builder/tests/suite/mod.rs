mod apps;
mod dependencies;
mod postgres;
mod wheels;

use std::fs;
use std::path::Path;

use fasterapi_builder::{BuildError, BuildRequest, Builder, Built, Cache, Event};

/// A project of these files, built as `target`.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn build(&self, target: &str) -> Result<Built, BuildError> {
        let output = self.folder.path().join("app.wasm");
        let request = BuildRequest { target: target.parse()?, dir: self.folder.path().to_owned(), output };
        Builder::new(Cache::open()?).build(&request, &|_: Event<'_>| {})
    }

    /// The text of the error that building gives, which leaves no component.
    pub(crate) fn refusal(&self, target: &str) -> String {
        let error = self.build(target).unwrap_err();
        assert_eq!(error.origin().to_string(), "guest", "{error}");
        assert!(!self.folder.path().join("app.wasm").exists());
        error.to_string()
    }
}
