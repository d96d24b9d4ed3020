//! The guests: Python apps of tests/guests and examples, built once by the builder and its cache.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, OnceLock},
};

use fasterapi_builder::{BuildRequest, Builder, Cache, Event};
use parking_lot::Mutex;

/// A Python app of this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guest {
    /// Its folder, from the top of the repository.
    pub folder: &'static str,
    /// `MODULE:ATTR`.
    pub target: &'static str,
}

impl Guest {
    /// The wide FastAPI app; its `main:app` runs under uvicorn too.
    pub const CONFORMANCE: Self = Self { folder: "tests/guests/conformance", target: "everything:app" };
    /// FastAPI's tutorial, feature by feature. guest-sdk/python/tests has its requests.
    pub const TUTORIAL: Self = Self { folder: "tests/guests/tutorial", target: "everything:app" };
    /// An app with `isolation="app"`, compression and no HTTP/2.
    pub const SHARED_STATE: Self = Self { folder: "tests/guests/shared-state", target: "main:app" };
    /// The seed's program with Postgres, as it stands there.
    pub const WITH_POSTGRES: Self = Self { folder: "tests/guests/with-postgres", target: "main:app" };
    /// Everything of `fasterapi.pg`.
    pub const POSTGRES: Self = Self { folder: "tests/guests/postgres", target: "main:app" };
    /// The smallest example.
    pub const HELLO: Self = Self { folder: "examples/hello", target: "main:app" };
    /// The example with Postgres.
    pub const ITEMS: Self = Self { folder: "examples/items", target: "main:app" };
    /// The example without FastAPI.
    pub const STARLETTE: Self = Self { folder: "examples/starlette-app", target: "main:app" };
    /// The example with SQLAlchemy.
    pub const SQLALCHEMY: Self = Self { folder: "examples/sqlalchemy-app", target: "main:app" };
    /// An app that reads the files beside it.
    pub const FILES: Self = Self { folder: "tests/guests/files", target: "main:app" };
    /// An app that lets objects go which were made when it was imported.
    pub const ENDS: Self = Self { folder: "tests/guests/ends", target: "main:app" };
    /// A WSGI app.
    pub const WSGI: Self = Self { folder: "tests/guests/wsgi", target: "main:app" };
    /// A Flask app.
    pub const FLASK: Self = Self { folder: "tests/guests/flask", target: "main:app" };
    /// A Litestar app; it runs under uvicorn too.
    pub const LITESTAR: Self = Self { folder: "tests/guests/litestar", target: "main:app" };
    /// The routes of a usual backend: users, log-in, items.
    pub const BACKEND: Self = Self { folder: "tests/guests/backend", target: "main:app" };
    /// Every package of guest-sdk/wasi-wheels.
    pub const PACKAGES: Self = Self { folder: "tests/guests/packages", target: "main:app" };
    /// Passwords hashed in every way that apps do; it runs under uvicorn too.
    pub const PASSWORDS: Self = Self { folder: "tests/guests/passwords", target: "main:app" };
    /// An app whose answers the host knows where it has no route.
    pub const ANSWERS: Self = Self { folder: "tests/guests/answers", target: "main:app" };
    /// The same with a handler of its own for them.
    pub const OWN_ANSWERS: Self = Self { folder: "tests/guests/answers", target: "own:app" };
    /// The same behind trusted hosts and CORS for some origins.
    pub const EXPLICIT_CORS: Self = Self { folder: "tests/guests/answers", target: "layers:explicit" };
    /// The same with CORS for everyone, credentials and all.
    pub const CORS_FOR_ANYONE: Self = Self { folder: "tests/guests/answers", target: "layers:anyone" };
    /// The same with CORS for everyone.
    pub const PUBLIC_CORS: Self = Self { folder: "tests/guests/answers", target: "layers:public" };
    /// The same, sent to HTTPS.
    pub const HTTPS_ONLY: Self = Self { folder: "tests/guests/answers", target: "layers:secure" };
    /// The same, compressed.
    pub const ZIPPED: Self = Self { folder: "tests/guests/answers", target: "layers:zipped" };
    /// The same, compressed within trusted hosts and CORS for origins of a pattern.
    pub const ZIPPED_WITHIN: Self = Self { folder: "tests/guests/answers", target: "layers:zipped_within" };
    /// The same, compressed around trusted hosts and CORS for everyone.
    pub const ZIPPED_AROUND: Self = Self { folder: "tests/guests/answers", target: "layers:zipped_around" };
    /// The example with a chat room.
    pub const WEBSOCKET: Self = Self { folder: "examples/websocket", target: "main:app" };
    /// The example with several tenants.
    pub const PLATFORM: Self = Self { folder: "examples/platform", target: "main:app" };

    /// All of them.
    pub const ALL: &[Self] = &[
        Self::CONFORMANCE,
        Self::TUTORIAL,
        Self::SHARED_STATE,
        Self::WITH_POSTGRES,
        Self::POSTGRES,
        Self::HELLO,
        Self::ITEMS,
        Self::STARLETTE,
        Self::SQLALCHEMY,
        Self::FILES,
        Self::ENDS,
        Self::WSGI,
        Self::WEBSOCKET,
        Self::PLATFORM,
        Self::FLASK,
        Self::LITESTAR,
        Self::BACKEND,
        Self::PACKAGES,
        Self::PASSWORDS,
        Self::ANSWERS,
        Self::OWN_ANSWERS,
        Self::EXPLICIT_CORS,
        Self::CORS_FOR_ANYONE,
        Self::PUBLIC_CORS,
        Self::HTTPS_ONLY,
        Self::ZIPPED,
        Self::ZIPPED_WITHIN,
        Self::ZIPPED_AROUND,
    ];

    /// The app's folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        repository().join(self.folder)
    }

    /// The built component. Blocks: half a minute when it is not in the builder's cache.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        type Slots = Mutex<HashMap<Guest, Arc<OnceLock<PathBuf>>>>;
        static BUILT: LazyLock<Slots> = LazyLock::new(Slots::default);
        let slot = Arc::clone(BUILT.lock().entry(*self).or_default());
        slot.get_or_init(|| self.build()).clone()
    }

    fn build(&self) -> PathBuf {
        let name = Path::new(self.folder).file_name().unwrap().to_string_lossy();
        let target = self.target.replace(':', "-");
        let output = build_folder().join("guests").join(format!("{name}-{target}.wasm"));
        let request = BuildRequest { target: self.target.parse().unwrap(), dir: self.dir(), output };
        let builder = Builder::new(Cache::open().unwrap());
        let built = builder.build(&request, &|_: Event<'_>| {});
        built.unwrap_or_else(|error| panic!("{} cannot be built: {error}", self.folder)).path
    }
}

/// The top of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Cargo's folder for this profile, where programs stand: `target/debug`.
#[must_use]
pub fn build_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}
