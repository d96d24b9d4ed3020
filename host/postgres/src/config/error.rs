//! Why a configuration is refused, in words that the operator can act on.

/// Why a database's configuration was refused. Never shows the URL, which may hold a password.
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
        reason: String,
    },
    /// The URL asks for something that is not there yet.
    #[error("the database url asks for `{option}`, which is not supported yet")]
    Unsupported {
        /// The option and its value.
        option: &'static str,
    },
}
