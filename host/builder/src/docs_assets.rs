//! Swagger UI and Redoc, out of a PyPI wheel that carries both as they are released, in the cache.

use std::fs;
use std::path::Path;

use fasterapi_core::docs::DocsFiles;

use crate::cache::{Cache, Key, KeyMaker};
use crate::pinned::PinnedWheel;
use crate::progress::step;
use crate::toolchain::Toolchain;
use crate::{BuildError, Event, Progress};

const WHEEL: PinnedWheel<'static> = PinnedWheel {
    name: "drf-spectacular-sidecar",
    version: "2026.10.1",
    sha256: "fe1d005d8ac9b5d0472f2fe5deeb2e7d6dcffaa24118044f22578b4b8c4b31f2",
    platform: None,
    content: "Swagger UI and Redoc",
};
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
        step(progress, "download Swagger UI and Redoc (once)", || {
            WHEEL.unpack(cache, toolchain, folder, progress)
        })
    })?;
    read(&folder)
}

/// The files, if they are in the cache.
pub(crate) fn kept(cache: &Cache) -> Option<DocsFiles> {
    read(&cache.find(KIND, &key())?).ok()
}

fn key() -> Key {
    KeyMaker::default().part(WHEEL.name).part(WHEEL.sha256).finish()
}

fn read(folder: &Path) -> Result<DocsFiles, BuildError> {
    let read = |(name, path): &(&str, &str)| {
        let path = folder.join(STATIC).join(path);
        Ok(((*name).to_owned(), fs::read(&path).map_err(BuildError::io("read", &path))?))
    };
    let files: Result<_, BuildError> = FILES.iter().map(read).collect();
    Ok(DocsFiles { version: WHEEL.version.to_owned(), files: files? })
}
