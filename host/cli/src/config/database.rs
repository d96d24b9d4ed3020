//! One database of the configuration file.

use std::{collections::BTreeMap, num::NonZeroUsize};

use fasterapi_capabilities::postgres::{Terms, Variable};
use fasterapi_postgres::{DatabaseConfig, PoolLimits, Reset};
use serde::Deserialize;

use super::values::{Size, Time, parsed};
use crate::database::DatabaseChoice;

/// Where a database is, as whom the app meets it, and how much of it there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DatabaseTable {
    /// A postgres:// URL, or `embedded`.
    #[serde(deserialize_with = "parsed")]
    pub url: DatabaseChoice,
    /// The role whose rights the app has, instead of the login's own.
    pub role: Option<String>,
    /// Where names without a schema are looked for.
    pub search_path: Option<String>,
    /// Whether the app may only read.
    #[serde(default)]
    pub read_only: bool,
    /// Sessions kept open.
    pub min_sessions: Option<usize>,
    /// Sessions at most.
    pub max_sessions: Option<NonZeroUsize>,
    /// Statements under way on one session at a time, when reads share it. 1: none do.
    pub max_riders: Option<usize>,
    /// Calls that may wait for a session.
    pub max_waiting: Option<usize>,
    /// How long a call may wait for a session.
    pub checkout_timeout: Option<Time>,
    /// How long a new connection may take.
    pub connect_timeout: Option<Time>,
    /// How long a statement may take.
    pub statement_timeout: Option<Time>,
    /// How long a session is kept unused.
    pub idle_timeout: Option<Time>,
    /// How old a session may become.
    pub max_lifetime: Option<Time>,
    /// Prepared statements kept for each session.
    pub prepared_statements: Option<NonZeroUsize>,
    /// The largest result in one piece.
    pub max_result: Option<Size>,
    /// The largest statement, and the largest set of parameters.
    pub max_parameters: Option<Size>,
    /// How long a call takes that goes to the log as slow.
    pub slow_statement: Option<Time>,
    /// When a session is wiped.
    #[serde(default)]
    pub reset: ResetRule,
    /// Variables that are set for every statement, and where their values come from.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// How long statements of a route may take, by the route's name: in place of `statement-timeout`.
    #[serde(default)]
    pub route_timeouts: BTreeMap<String, Time>,
}

/// See [`Reset`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetRule {
    /// When a statement may have changed it.
    #[default]
    WhenDirtied,
    /// After every use.
    Always,
}

impl DatabaseTable {
    /// A database of which nothing but the place is said.
    #[must_use]
    pub fn at(url: DatabaseChoice) -> Self {
        Self {
            url,
            role: None,
            search_path: None,
            read_only: false,
            min_sessions: None,
            max_sessions: None,
            max_riders: None,
            max_waiting: None,
            checkout_timeout: None,
            connect_timeout: None,
            statement_timeout: None,
            idle_timeout: None,
            max_lifetime: None,
            prepared_statements: None,
            max_result: None,
            max_parameters: None,
            slow_statement: None,
            reset: ResetRule::default(),
            variables: BTreeMap::new(),
            route_timeouts: BTreeMap::new(),
        }
    }

    /// What is said here, over what the URL says.
    pub(crate) fn apply(&self, config: DatabaseConfig) -> DatabaseConfig {
        let limits = self.limits(config.limits());
        let mut config = config.with_limits(limits).with_read_only(self.read_only);
        if let Some(role) = &self.role {
            config = config.with_role(role);
        }
        if let Some(path) = &self.search_path {
            config = config.with_search_path(path);
        }
        config
    }

    /// What holds for the app's statements on it.
    pub(crate) fn terms(&self) -> Terms {
        let variables = self.variables.iter().map(|(name, from)| (name.as_str().into(), from.clone()));
        let timeouts = self.route_timeouts.iter().map(|(route, time)| (route.as_str().into(), time.0));
        Terms { variables: variables.collect(), route_timeouts: timeouts.collect() }
    }

    fn limits(&self, given: &PoolLimits) -> PoolLimits {
        let time = |said: Option<Time>, given| said.map_or(given, |time| time.0);
        let size = |said: Option<Size>, given| said.map_or(given, |size| size.0);
        PoolLimits {
            min_size: self.min_sessions.unwrap_or(given.min_size),
            max_size: self.max_sessions.unwrap_or(given.max_size),
            max_riders: self.max_riders.unwrap_or(given.max_riders),
            max_waiting: self.max_waiting.unwrap_or(given.max_waiting),
            checkout_timeout: time(self.checkout_timeout, given.checkout_timeout),
            connect_timeout: time(self.connect_timeout, given.connect_timeout),
            statement_timeout: time(self.statement_timeout, given.statement_timeout),
            idle_timeout: time(self.idle_timeout, given.idle_timeout),
            max_lifetime: time(self.max_lifetime, given.max_lifetime),
            statements: self.prepared_statements.unwrap_or(given.statements),
            max_result_bytes: size(self.max_result, given.max_result_bytes),
            max_parameter_bytes: size(self.max_parameters, given.max_parameter_bytes),
            slow_statement: time(self.slow_statement, given.slow_statement),
            reset: match self.reset {
                ResetRule::WhenDirtied => Reset::WhenDirtied,
                ResetRule::Always => Reset::Always,
            },
            ..given.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_sessions_holds() {
        let table = |text: &str| toml::from_str::<DatabaseTable>(text).unwrap();
        let given = PoolLimits::default();
        let said =
            table("url = \"embedded\"\nmin-sessions = 1\nmax-sessions = 3\nmax-riders = 1\nmax-waiting = 5");
        let limits = said.limits(&given);
        assert_eq!(
            (limits.min_size, limits.max_size.get(), limits.max_riders, limits.max_waiting),
            (1, 3, 1, 5)
        );
        assert_eq!(table("url = \"embedded\"").limits(&given), given);
    }
}
