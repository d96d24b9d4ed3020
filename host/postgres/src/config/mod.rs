//! How a granted database is reached and how much of it a tenant may use.
//!
//! Options come from a URL, a service file and the environment, with libpq's names and meanings; all of them stay with the
//! host. What is wrong with them is said at once. The credentials live in types that show none of them in `Debug`;
//! nothing here gives them back.

mod access;
mod error;
pub(crate) mod files;
mod hosts;
mod limits;
mod options;
mod passfile;
mod secrets;
mod service;
mod settings;
mod tls;
mod url;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use fasterapi_core::Secret;

use self::settings::{Environment, Settings};
pub(crate) use self::{
    access::{Access, Target},
    files::Stamp,
    hosts::SOCKET_FOLDER,
    passfile::Wanted,
    url::is_postgres_url,
};
pub use self::{
    error::ConfigError,
    limits::{PoolLimits, Reset},
    settings::Origin,
};
use crate::session::{Endpoint, Place, TcpOptions};

/// A database to be granted: where, as whom, within which limits.
#[derive(Clone)]
pub struct DatabaseConfig {
    pub(crate) driver: tokio_postgres::Config,
    pub(crate) access: Arc<Access>,
    pub(crate) limits: PoolLimits,
    pub(crate) any_url: bool,
    pub(crate) read_only: bool,
}

impl DatabaseConfig {
    /// Reads a `postgres://` URL with libpq's meaning: several hosts, TLS, password and service files, and the
    /// environment's `PG…` variables for what it leaves out (PostgreSQL documentation, "Connection Strings" and
    /// "Environment Variables"). Without a host: the socket in `/var/run/postgresql` if there is one, else localhost.
    /// Looks at the files that the options name. `password_file` is an option of ours.
    ///
    /// # Errors
    /// When `url` is not of that form, has an option that is unknown or not supported, or a file cannot be used.
    pub fn from_url(url: &Secret) -> Result<Self, ConfigError> {
        Self::from_url_in(url, &|name| std::env::var(name).ok())
    }

    /// The same with an environment of the caller's: the value of a variable, by its name.
    ///
    /// # Errors
    /// See [`from_url`](Self::from_url).
    pub fn from_url_in(
        url: &Secret,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut settings = url::read(url.expose())?;
        service::add(&mut settings, environment)?;
        settings.add_environment(environment)?;
        Self::new(&settings, environment)
    }

    /// The database `name` of the server that listens in `socket_dir`, which trusts its user `user`.
    pub(crate) fn on_socket(socket_dir: &Path, user: &str, name: &str) -> Self {
        let endpoint =
            Endpoint::new(Place::Unix(socket_dir.to_owned()), hosts::DEFAULT_PORT, TcpOptions::default());
        let access = Access::on_socket(endpoint, user, name);
        Self {
            driver: access::bare_driver(user, name),
            access: Arc::new(access),
            limits: PoolLimits::default(),
            any_url: false,
            read_only: false,
        }
    }

    fn new(settings: &Settings, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let user = user(settings)?;
        let mut limits = PoolLimits::default();
        // Zero means to wait without end, which nothing does here.
        if let Some(seconds) = settings.number::<i32>("connect_timeout")?.filter(|seconds| *seconds > 0) {
            limits.connect_timeout = Duration::from_secs(seconds.unsigned_abs().into());
        }
        Ok(Self {
            driver: access::driver(settings, &user)?,
            access: Arc::new(Access::new(settings, environment, &user)?),
            limits,
            any_url: false,
            read_only: false,
        })
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: PoolLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Has sessions begin as `role`, whose rights they then have, and where a reset brings them back to. A guest may leave
    /// it for another role that the login is a member of: for a hard border the login itself has no more rights.
    #[must_use]
    pub fn with_role(self, role: &str) -> Self {
        self.with_setting("role", role)
    }

    /// Where sessions look for names without a schema, as in `SET search_path`.
    #[must_use]
    pub fn with_search_path(self, path: &str) -> Self {
        self.with_setting("search_path", path)
    }

    /// Has everything run in transactions that only read, and that no statement can make others of: the server refuses
    /// `SET TRANSACTION READ WRITE`, in whatever words, once a transaction has read, and the host has each one read before
    /// it is the guest's (PostgreSQL documentation, "SET TRANSACTION"). A COPY from the client is refused.
    ///
    /// That holds for what a transaction writes to the database. It does not for temporary tables, for what a role may do
    /// to the server's files and programs (a superuser's `COPY … TO PROGRAM`), nor for statements that a function sends over
    /// a connection of its own (dblink). Against these stands only the right of the role.
    ///
    /// Servers before version 16 do not refuse `RESET transaction_read_only`. There every transaction ends with a ROLLBACK:
    /// what it wrote is undone, but for the numbers that it took from sequences, and what it notified is not sent.
    #[must_use]
    pub fn with_read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        if read_only { self.with_setting("default_transaction_read_only", "on") } else { self }
    }

    /// A setting that a session has from its log-in, and after every reset (PostgreSQL documentation, "options").
    fn with_setting(mut self, name: &str, value: &str) -> Self {
        let mut options = self.driver.get_options().map_or_else(String::new, |given| format!("{given} "));
        options.push_str("-c ");
        options.push_str(name);
        options.push('=');
        for character in value.chars() {
            if character.is_whitespace() || character == '\\' {
                options.push('\\');
            }
            options.push(character);
        }
        self.driver.options(options);
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
        Some(&self.access.database)
    }
}

/// The user to log in as: this process's, if none is named.
fn user(settings: &Settings) -> Result<String, ConfigError> {
    if let Some(user) = settings.get("user") {
        return Ok(user.to_owned());
    }
    whoami::username().map_err(|error| {
        ConfigError::conflict(
            format!("this process's user has no name ({error})"),
            "name a user in the database url",
        )
    })
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("endpoints", &self.access.endpoints)
            .field("user", &self.access.user)
            .field("database", &self.access.database)
            .field("limits", &self.limits)
            .field("any_url", &self.any_url)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
