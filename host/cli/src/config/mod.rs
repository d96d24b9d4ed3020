//! The host's configuration file, `host.toml`: which databases an app is granted, and how much of each.
//!
//! ```toml
//! [databases.default]
//! url = "postgres://shop@db.internal/shop?sslmode=verify-full"
//! role = "shop_app"
//! statement-timeout = "5s"
//!
//! [databases.default.variables]           # set for every statement, for row-level security
//! "app.tenant_id" = "tenant"
//! "app.user_id" = "header:x-user-id"
//!
//! [databases.default.route-timeouts]      # as `fasterapi-host routes` names them
//! "GET /reports/{id}" = "30s"
//!
//! [databases.default_ro]
//! url = "postgres://shop@replica.internal/shop"
//! read-only = true
//! ```
//!
//! A key that is unknown is an error, so that a mistyped limit is not silently none.

mod database;
mod values;

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    path::Path,
};

use fasterapi_capabilities::postgres::Terms;
use fasterapi_core::DatabaseAlias;
use serde::Deserialize;

pub use self::database::DatabaseTable;
use crate::{database::DatabaseChoice, exit::Failure};

/// What the file says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostConfig {
    /// The app's databases, by the alias under which it is granted each.
    #[serde(default)]
    pub databases: BTreeMap<DatabaseAlias, DatabaseTable>,
    /// Sessions of all databases together.
    #[serde(default)]
    pub max_sessions: Option<std::num::NonZeroUsize>,
}

impl HostConfig {
    /// The same, with the app's default database at `choice`.
    #[must_use]
    pub fn with_default(mut self, choice: DatabaseChoice) -> Self {
        match self.databases.entry(DatabaseAlias::default()) {
            Entry::Occupied(mut table) => table.get_mut().url = choice,
            Entry::Vacant(place) => drop(place.insert(DatabaseTable::at(choice))),
        }
        self
    }

    /// The terms of the databases.
    pub(crate) fn terms(&self) -> HashMap<DatabaseAlias, Terms> {
        self.databases.iter().map(|(alias, table)| (alias.clone(), table.terms())).collect()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or says what nothing here knows. The message names the line; it repeats no value.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let at = path.display();
        let text =
            std::fs::read_to_string(path).map_err(|e| Failure::input(format!("cannot read {at}: {e}")))?;
        toml::from_str(&text).map_err(|error| {
            // The library's own rendering shows the line, and with it perhaps a password.
            let line = error
                .span()
                .map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
            Failure::input(format!("{at}, line {line}: {}", error.message()))
        })
    }
}
