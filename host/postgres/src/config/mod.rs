//! How a granted database is reached and how much of it a tenant may use.
//!
//! The credential lives in the driver's configuration, which shows none of it in `Debug`; nothing here gives it
//! back.

mod error;
mod limits;

use std::{fmt, path::Path};

use fasterapi_core::Secret;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

pub use self::{
    error::ConfigError,
    limits::{PoolLimits, Reset},
};
use crate::session::Endpoint;

/// A database to be granted: where, as whom, within which limits.
#[derive(Clone)]
pub struct DatabaseConfig {
    pub(crate) driver: tokio_postgres::Config,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) limits: PoolLimits,
    pub(crate) any_url: bool,
}

impl DatabaseConfig {
    /// Reads a `postgres://` URL with libpq's meaning, several hosts included. Without a host: the socket in
    /// `/var/run/postgresql` if there is one, else localhost.
    ///
    /// # Errors
    /// When `url` is not of that form, or asks for TLS or `target_session_attrs`, which are yet to come.
    pub fn from_url(url: &Secret) -> Result<Self, ConfigError> {
        let url = url.expose();
        if !is_postgres_url(url) {
            return Err(ConfigError::Scheme);
        }
        let driver: tokio_postgres::Config =
            url.parse().map_err(|error| ConfigError::Url { reason: reason(&error) })?;
        if driver.get_ssl_mode() == SslMode::Require {
            return Err(ConfigError::Unsupported { option: "sslmode=require" });
        }
        if driver.get_target_session_attrs() != TargetSessionAttrs::Any {
            return Err(ConfigError::Unsupported { option: "target_session_attrs" });
        }
        Self::new(driver)
    }

    /// The database `name` of the server that listens in `socket_dir`, which trusts its user `user`.
    pub(crate) fn on_socket(socket_dir: &Path, user: &str, name: &str) -> Self {
        let mut driver = tokio_postgres::Config::new();
        driver.host_path(socket_dir).user(user).dbname(name).application_name(APPLICATION);
        let endpoints = vec![Endpoint::unix(socket_dir, DEFAULT_PORT)];
        Self { driver, endpoints, limits: PoolLimits::default(), any_url: false }
    }

    fn new(mut driver: tokio_postgres::Config) -> Result<Self, ConfigError> {
        if driver.get_application_name().is_none() {
            driver.application_name(APPLICATION);
        }
        let endpoints =
            Endpoint::all(&driver).map_err(|reason| ConfigError::Url { reason: reason.into() })?;
        let mut limits = PoolLimits::default();
        if let Some(timeout) = driver.get_connect_timeout() {
            limits.connect_timeout = *timeout;
        }
        Ok(Self { driver, endpoints, limits, any_url: false })
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: PoolLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets this grant answer to every `postgres://` URL that names no other grant's database. For development,
    /// where an app's `postgres://localhost/mydb` means the embedded server.
    #[must_use]
    pub fn answering_any_url(mut self) -> Self {
        self.any_url = true;
        self
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// The database's name; without one in the URL it is the user's, as in libpq.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.driver.get_dbname().or_else(|| self.driver.get_user())
    }
}

const APPLICATION: &str = "fasterapi-host";
pub(crate) const DEFAULT_PORT: u16 = 5432;

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("endpoints", &self.endpoints)
            .field("user", &self.driver.get_user())
            .field("database", &self.database())
            .field("limits", &self.limits)
            .field("any_url", &self.any_url)
            .finish_non_exhaustive()
    }
}

pub(crate) fn is_postgres_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// The driver's reason where it is known to hold only an option's name.
fn reason(error: &tokio_postgres::Error) -> String {
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let harmless = ["invalid value for option `", "unknown option `"];
    if harmless.iter().any(|start| text.starts_with(start)) { text } else { "it does not parse".into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(url: &str) -> Result<DatabaseConfig, ConfigError> {
        DatabaseConfig::from_url(&Secret::new(url.to_owned()))
    }

    #[test]
    fn no_secret_shows() {
        let config = parse("postgres://bob:hunter2@db.example:6432/shop?connect_timeout=3").unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && shown.contains("db.example:6432"), "{shown}");
        assert_eq!(config.database(), Some("shop"));
        assert_eq!(config.limits.connect_timeout, Duration::from_secs(3));
    }

    #[test]
    fn bad_urls_are_named_without_their_text() {
        for (url, error) in [
            ("mysql://u:hunter2@h/d", "starts with `postgres://`"),
            ("host=h password=hunter2", "starts with `postgres://`"),
            ("postgres://u:hunter2@h:hunter2/d", "not valid"),
            ("postgres://u:hunter2@h/d?nope=1", "unknown option `nope`"),
            ("postgres://u:hunter2@h/d?sslmode=require", "`sslmode=require`"),
            ("postgres://u:hunter2@h/d?target_session_attrs=read-write", "`target_session_attrs`"),
            ("postgres://u:hunter2@a,b/d?port=1,2", "not valid"),
        ] {
            let text = parse(url).unwrap_err().to_string();
            assert!(text.contains(error) && !text.contains("hunter2"), "{url}: {text}");
        }
    }
}
