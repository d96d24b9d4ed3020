//! What can go wrong with a component, an instance, a call.

use std::{path::PathBuf, time::Duration};

use fasterapi_core::Origin;

/// Why a component cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is a core module or another kind of WebAssembly.
    #[error("it is a core WebAssembly module, not a component")]
    CoreModule,
    /// The file is no WebAssembly at all.
    #[error("it is not a WebAssembly component")]
    NotWasm,
    /// The bytes do not validate.
    #[error("the component is corrupt or truncated: {0}")]
    Corrupt(String),
    /// It asks for something that no capability provides.
    #[error("the component imports `{import}`, which this host does not provide")]
    UnknownImport {
        /// The name of the import.
        import: String,
    },
    /// An export that the host calls is missing or of another type.
    #[error("the component does not export what the host calls: {0}")]
    MissingExport(String),
    /// The archive of its files is none, or has what no app can bring.
    #[error("the component's files are malformed: {0}")]
    Files(String),
    /// The folder of images, or of apps' files, cannot be used.
    #[error("cannot use the cache at {}: {source}", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine would not start or compile.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// Why an instance could not be made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// Instantiation failed: a limit, or a trap before start-up.
    #[error("cannot make an instance: {0}")]
    Instantiate(String),
    /// The app's start-up hooks raised. The text is the app's traceback.
    #[error("the app's start-up failed\n{0}")]
    Startup(String),
    /// The app of a draft cannot be imported. The text is the SDK's report, for the builder to read.
    #[error("the app cannot be imported")]
    Import(String),
    /// The app's start-up took too long.
    #[error("the app's start-up took longer than {0:?}")]
    StartupTimeout(Duration),
}

impl MakeError {
    /// Whose doing it is.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        Origin::Guest
    }
}

/// Why a call to a guest gave no response, or an incomplete one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The app let an exception through. The text is its traceback: for the log only.
    #[error("the app raised\n{0}")]
    Raised(String),
    /// The guest trapped: the instance is gone.
    #[error("the guest trapped: {0}")]
    Trapped(String),
    /// The guest computed for longer than it may.
    #[error("the guest used its CPU budget of {0:?}")]
    CpuBudget(Duration),
    /// The guest neither answered nor went on in time.
    #[error("the guest took longer than {limit:?} {phase}")]
    Deadline {
        /// What it was doing.
        phase: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The guest's response is none.
    #[error("the guest's response is malformed: {0}")]
    Malformed(&'static str),
    /// The client left before the response.
    #[error("the client left")]
    Abandoned,
}

impl InvokeError {
    /// Whose doing it is.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        match self {
            Self::Abandoned => Origin::Client,
            _ => Origin::Guest,
        }
    }

    /// Whether the instance can serve on.
    #[must_use]
    pub const fn keeps_instance(&self) -> bool {
        matches!(self, Self::Raised(_))
    }
}
