//! Why a configuration is refused, in words that the operator can act on.

use std::path::PathBuf;

use super::settings::Origin;

/// Why a database's configuration was refused. Names the option and where it was set, never a value of the URL: that
/// may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not a URL of this scheme.
    #[error("a database url starts with `postgres://` or `postgresql://`")]
    Scheme,
    /// The URL does not parse.
    #[error("the database url is not valid: {reason}")]
    Url {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An option that libpq does not know either.
    #[error("unknown option {option} in {origin}{}", hint(similar.map(|name| format!("did you mean `{name}`?"))))]
    Unknown {
        /// The option's name, if it looks like one.
        option: String,
        /// Where it was set.
        origin: Origin,
        /// A known option whose name is almost that.
        similar: Option<&'static str>,
    },
    /// An option of libpq's that is not supported here.
    #[error("the option `{option}` in {origin} is not supported: {reason}")]
    Unsupported {
        /// The option.
        option: &'static str,
        /// Where it was set.
        origin: Origin,
        /// Why, or what to use.
        reason: &'static str,
    },
    /// An option's value is none that it takes.
    #[error("the option `{option}` in {origin} is not valid: {reason}")]
    Value {
        /// The option.
        option: &'static str,
        /// Where it was set.
        origin: Origin,
        /// What is wrong, or what is allowed.
        reason: String,
    },
    /// Options that do not go together.
    #[error("{problem}\nhint: {advice}")]
    Conflict {
        /// Which, and why.
        problem: String,
        /// What to change.
        advice: String,
    },
    /// TLS cannot be set up.
    #[error("TLS to the database cannot be set up: {reason}")]
    Tls {
        /// Why not.
        reason: String,
    },
    /// A file could not be used.
    #[error("cannot use `{}` as the database's {use_}: {reason}", path.display())]
    File {
        /// What for: the option's name.
        use_: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

fn hint(text: Option<String>) -> String {
    text.map(|text| format!("\nhint: {text}")).unwrap_or_default()
}

impl ConfigError {
    pub(super) fn conflict(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Conflict { problem: problem.into(), advice: advice.into() }
    }

    pub(crate) fn tls(reason: impl Into<String>) -> Self {
        Self::Tls { reason: reason.into() }
    }

    pub(crate) fn file(use_: &'static str, path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::File { use_, path: path.into(), reason: reason.to_string() }
    }
}
