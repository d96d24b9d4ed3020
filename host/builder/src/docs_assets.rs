//! Swagger UI and Redoc, out of a PyPI wheel that carries both as they are released, in the cache.

use std::fs;
use std::path::Path;

use fasterapi_core::docs::DocsFiles;

use crate::cache::{Cache, Key, KeyMaker, create_folder, sha256_file};
use crate::command::run;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Event, Progress};

const NAME: &str = "drf-spectacular-sidecar";
const VERSION: &str = "2026.10.1";
const SHA256: &str = "fe1d005d8ac9b5d0472f2fe5deeb2e7d6dcffaa24118044f22578b4b8c4b31f2";
const KIND: &str = "docs";
const STATIC: &str = "drf_spectacular_sidecar/static/drf_spectacular_sidecar";

/// The files that FastAPI's pages need, by the names under which the host serves them.
const FILES: [(&str, &str); 4] = [
    ("swagger-ui-bundle.js", "swagger-ui-dist/swagger-ui-bundle.js"),
    ("swagger-ui.css", "swagger-ui-dist/swagger-ui.css"),
    ("favicon.png", "swagger-ui-dist/favicon-32x32.png"),
    ("redoc.standalone.js", "redoc/bundles/redoc.standalone.js"),
];

/// The files, downloaded (3 MB) on first use. Without an index that has them, the pages look for them where FastAPI's
/// do: that is no reason not to build.
///
/// # Errors
/// The wheel is not the pinned one.
pub(crate) fn wanted(
    cache: &Cache,
    toolchain: &Toolchain,
    progress: &dyn Progress,
) -> Result<Option<DocsFiles>, BuildError> {
    match ensure(cache, toolchain, progress) {
        Ok(files) => Ok(Some(files)),
        Err(error @ BuildError::Digest { .. }) => Err(error),
        Err(error) => {
            let text = format!("the app's docs pages will load their scripts from a CDN: {error}");
            progress.report(Event::Notice(&text));
            Ok(None)
        }
    }
}

fn ensure(cache: &Cache, toolchain: &Toolchain, progress: &dyn Progress) -> Result<DocsFiles, BuildError> {
    let folder = cache.entry(KIND, &key(), |folder| {
        step(progress, "download Swagger UI and Redoc (once)", || unpack(cache, toolchain, folder, progress))
    })?;
    read(&folder)
}

/// The files, if they are in the cache.
pub(crate) fn kept(cache: &Cache) -> Option<DocsFiles> {
    read(&cache.find(KIND, &key())?).ok()
}

fn key() -> Key {
    KeyMaker::default().part(NAME).part(SHA256).finish()
}

fn read(folder: &Path) -> Result<DocsFiles, BuildError> {
    let read = |(name, path): &(&str, &str)| {
        let path = folder.join(STATIC).join(path);
        Ok(((*name).to_owned(), fs::read(&path).map_err(BuildError::io("read", &path))?))
    };
    let files: Result<_, BuildError> = FILES.iter().map(read).collect();
    Ok(DocsFiles { version: VERSION.to_owned(), files: files? })
}

fn unpack(
    cache: &Cache,
    toolchain: &Toolchain,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let scratch = cache.scratch()?;
    let what = format!("{NAME}=={VERSION}");
    let mut pip = toolchain.python();
    pip.args(["-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]);
    run(pip.arg("--dest").arg(scratch.path()).arg(&what), progress)?
        .success("downloading Swagger UI and Redoc")?;
    let wheel = scratch.path().join(format!("{}-{VERSION}-py3-none-any.whl", NAME.replace('-', "_")));
    let found = sha256_file(&wheel)?;
    if found != SHA256 {
        let hint = "the package index serves another file under this name".into();
        return Err(BuildError::Digest { what, expected: SHA256.into(), found, hint });
    }
    create_folder(folder)?;
    let mut unzip = toolchain.python();
    unzip.args(["-I", "-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
    run(&mut unzip, progress)?.success("unpacking Swagger UI and Redoc").map(drop)
}
