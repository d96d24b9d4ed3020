//! How sessions of one database are made: where, encrypted how, logged in with what, and which server will do.

use std::sync::Arc;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};

use super::{
    ConfigError, hosts,
    secrets::Password,
    settings::{Environment, Settings},
    tls,
};
use crate::{
    session::{Endpoint, Ways},
    tls::Tls,
};

/// Which servers will do (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Any,
    /// One that takes writes by default.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is no standby.
    Primary,
    Standby,
    /// A standby, or any if there is none.
    PreferStandby,
}

const TARGETS: &[(&str, Target)] = &[
    ("any", Target::Any),
    ("read-write", Target::ReadWrite),
    ("read-only", Target::ReadOnly),
    ("primary", Target::Primary),
    ("standby", Target::Standby),
    ("prefer-standby", Target::PreferStandby),
];

/// All that is needed to log in.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) endpoints: Vec<Endpoint>,
    /// Whether they are tried in random order.
    pub(crate) shuffle: bool,
    pub(crate) target: Target,
    pub(crate) tls: Arc<Tls>,
    pub(crate) password: Password,
    /// The ways of log-in that are answered.
    pub(crate) ways: Ways,
    pub(crate) user: String,
    pub(crate) database: String,
}

impl Access {
    pub(super) fn new(
        settings: &Settings,
        environment: Environment<'_>,
        user: &str,
    ) -> Result<Self, ConfigError> {
        let access = Self {
            endpoints: hosts::endpoints(settings)?,
            shuffle: settings.word("load_balance_hosts", &[("disable", false), ("random", true)])?
                == Some(true),
            target: settings.word("target_session_attrs", TARGETS)?.unwrap_or(Target::Any),
            tls: Arc::new(tls::new(settings, environment)?),
            password: Password::new(settings, environment)?,
            ways: ways(settings)?,
            user: user.to_owned(),
            database: settings.get("dbname").unwrap_or(user).to_owned(),
        };
        let nameless =
            access.endpoints.iter().any(|endpoint| !endpoint.is_local() && endpoint.name().is_none());
        if access.tls.needs_name() && nameless {
            return Err(ConfigError::conflict(
                "sslmode verify-full needs the name of each host",
                "set `host` to the name in the server's certificate; `hostaddr` may stand beside it",
            ));
        }
        Ok(access)
    }

    /// A server on a socket, which trusts its users.
    pub(super) fn on_socket(endpoint: Endpoint, user: &str, database: &str) -> Self {
        Self {
            endpoints: vec![endpoint],
            shuffle: false,
            target: Target::Any,
            tls: Arc::new(Tls::off()),
            password: Password::None,
            ways: Ways::ALL,
            user: user.to_owned(),
            database: database.to_owned(),
        }
    }
}

/// A list of ways that are answered, or with `!` before each, of those that are not.
fn ways(settings: &Settings) -> Result<Ways, ConfigError> {
    const NAME: &str = "require_auth";
    let Some(list) = settings.get(NAME) else { return Ok(Ways::ALL) };
    let negative = list.starts_with('!');
    let start = if negative { Ways::ALL } else { Ways::ALL.without(Ways::ALL) };
    list.split(',').try_fold(start, |ways, word| {
        let word = word.trim();
        let bare = word.strip_prefix('!');
        if bare.is_some() != negative {
            return Err(settings.invalid(NAME, "either each way has a `!` before it, or none"));
        }
        let way = match bare.unwrap_or(word) {
            "none" => Ways::NONE,
            "password" => Ways::PASSWORD,
            "md5" => Ways::MD5,
            "scram-sha-256" => Ways::SCRAM,
            "gss" | "sspi" | "oauth" => Ways::OTHER,
            _ => return Err(settings.invalid(NAME, "known are none, password, md5, scram-sha-256")),
        };
        Ok(if negative { ways.without(way) } else { ways.with(way) })
    })
}

/// What the driver sends and does itself at log-in.
pub(super) fn driver(settings: &Settings, user: &str) -> Result<tokio_postgres::Config, ConfigError> {
    let mut driver = bare_driver(user, settings.get("dbname").unwrap_or(user));
    let name = settings.get("application_name").or(settings.get("fallback_application_name"));
    if let Some(name) = name {
        driver.application_name(name);
    }
    if let Some(options) = settings.get("options") {
        driver.options(options);
    }
    let words = &[
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    driver.channel_binding(settings.word("channel_binding", words)?.unwrap_or(ChannelBinding::Prefer));
    // These have one value that is obeyed, and no other.
    settings.word("gssencmode", &[("disable", ()), ("prefer", ())])?;
    settings.word("client_encoding", &[("UTF8", ()), ("utf8", ()), ("UTF-8", ()), ("auto", ())])?;
    Ok(driver)
}

const APPLICATION: &str = "fasterapi-host";

pub(super) fn bare_driver(user: &str, database: &str) -> tokio_postgres::Config {
    let mut driver = tokio_postgres::Config::new();
    driver.user(user).dbname(database).application_name(APPLICATION);
    // It is handed a wire on which encryption is agreed on already.
    driver.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    driver
}
