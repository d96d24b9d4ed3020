//! What can go wrong in a build, in the words the user sees.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use fasterapi_core::Origin;
use fasterapi_core::manifest::ManifestError;

/// Why there is no component. `Display` is what a command line shows, with a last line `hint: …` where one helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The target is not of the form `MODULE:ATTR`.
    #[error(
        "`{value}` is not of the form MODULE:ATTR\nhint: `main:app` is the name `app` in main.py, `main:create_app()` what that function gives"
    )]
    Target {
        /// What was given.
        value: String,
    },
    /// The app itself: its module, its name, or an exception while it was imported.
    #[error("{}{error}{}", before(traceback), hinted(hint))]
    App {
        /// One line.
        error: String,
        /// What to do, one line.
        hint: Option<String>,
        /// The user's part of the traceback.
        traceback: Option<String>,
    },
    /// The project folder cannot be taken as it is.
    #[error("{path}: {reason}", path = path.display())]
    Project {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong, with a hint line where there is one.
        reason: String,
    },
    /// A dependency that has no form the guest can run, or no version that fits.
    #[error("{}", list(.0))]
    Dependencies(Vec<Unavailable>),
    /// A program that a build needs is not on this machine.
    #[error("{what} is missing\nhint: {hint}")]
    ToolMissing {
        /// What was looked for.
        what: String,
        /// How to get it.
        hint: String,
    },
    /// A program that a build runs failed.
    #[error("{what} failed\n{output}")]
    Tool {
        /// Which.
        what: String,
        /// The end of what it printed.
        output: String,
    },
    /// A file is not what was pinned.
    #[error("{what} has sha256 {found}, expected {expected}\nhint: {hint}")]
    Digest {
        /// Which file.
        what: String,
        /// The pinned digest.
        expected: String,
        /// The file's digest.
        found: String,
        /// What may be the cause.
        hint: String,
    },
    /// Reading or writing a file.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The manifest the SDK made, or the component, is not acceptable.
    #[error("cannot write the manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// A defect in the SDK or in this builder.
    #[error("internal error while building: {0}")]
    Internal(String),
}

/// One dependency that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The requirement as written: `numpy>=2`.
    pub wanted: String,
    /// The package that asks for it; none: the project itself.
    pub by: Option<String>,
    /// Why not.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.wanted)?;
        if let Some(by) = &self.by {
            write!(f, " (needed by {by})")?;
        }
        write!(f, " {}", self.reason)
    }
}

impl BuildError {
    /// Whose doing it is: the app's author ([`Origin::Guest`]), a registry ([`Origin::Upstream`]) or this
    /// machine and program ([`Origin::Host`]).
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Target { .. } | Self::App { .. } | Self::Project { .. } | Self::Dependencies(_) => {
                Origin::Guest
            }
            Self::Digest { .. } => Origin::Upstream,
            _ => Origin::Host,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn before(traceback: &Option<String>) -> String {
    traceback.as_ref().map(|text| format!("{}\n", text.trim_end())).unwrap_or_default()
}

fn hinted(hint: &Option<String>) -> String {
    hint.as_ref().map(|text| format!("\nhint: {text}")).unwrap_or_default()
}

fn list(packages: &[Unavailable]) -> String {
    let mut lines: Vec<String> = packages.iter().map(ToString::to_string).collect();
    let mut hints: Vec<String> = packages.iter().map(|package| format!("hint: {}", package.hint)).collect();
    hints.dedup();
    lines.append(&mut hints);
    lines.join("\n")
}
