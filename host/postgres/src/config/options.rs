//! The options that a database URL, a service file and the environment may set: libpq's names, and one of ours
//! (PostgreSQL documentation, "Parameter Key Words" and "Environment Variables").

use super::{ConfigError, settings::Origin};

/// One option.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The environment's variable for its default.
    pub(super) variable: Option<&'static str>,
    /// Why it is refused, if it is.
    refusal: Option<&'static str>,
}

const fn option(name: &'static str) -> Known {
    Known { name, variable: None, refusal: None }
}

const fn with_variable(name: &'static str, variable: &'static str) -> Known {
    Known { name, variable: Some(variable), refusal: None }
}

impl Known {
    const fn refused(self, reason: &'static str) -> Self {
        Self { refusal: Some(reason), ..self }
    }
}

const NO_GSS: &str = "Kerberos and GSSAPI are not spoken here";

pub(super) static OPTIONS: &[Known] = &[
    with_variable("host", "PGHOST"),
    with_variable("hostaddr", "PGHOSTADDR"),
    with_variable("port", "PGPORT"),
    with_variable("dbname", "PGDATABASE"),
    with_variable("user", "PGUSER"),
    with_variable("password", "PGPASSWORD"),
    // Ours: a file with the password and nothing else, as secrets are mounted into containers.
    option("password_file"),
    with_variable("passfile", "PGPASSFILE"),
    with_variable("service", "PGSERVICE"),
    with_variable("servicefile", "PGSERVICEFILE"),
    with_variable("require_auth", "PGREQUIREAUTH"),
    with_variable("channel_binding", "PGCHANNELBINDING"),
    with_variable("connect_timeout", "PGCONNECT_TIMEOUT"),
    with_variable("target_session_attrs", "PGTARGETSESSIONATTRS"),
    with_variable("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    with_variable("options", "PGOPTIONS"),
    with_variable("application_name", "PGAPPNAME"),
    option("fallback_application_name"),
    option("client_encoding"),
    option("keepalives"),
    option("keepalives_idle"),
    option("keepalives_interval"),
    option("keepalives_count"),
    option("tcp_user_timeout"),
    with_variable("sslmode", "PGSSLMODE"),
    with_variable("sslnegotiation", "PGSSLNEGOTIATION"),
    with_variable("sslrootcert", "PGSSLROOTCERT"),
    with_variable("sslcrl", "PGSSLCRL"),
    with_variable("sslcert", "PGSSLCERT"),
    with_variable("sslkey", "PGSSLKEY"),
    with_variable("sslcertmode", "PGSSLCERTMODE"),
    with_variable("sslsni", "PGSSLSNI"),
    with_variable("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    with_variable("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    with_variable("gssencmode", "PGGSSENCMODE"),
    with_variable("requirepeer", "PGREQUIREPEER").refused("protect the socket's folder by its mode instead"),
    with_variable("sslcrldir", "PGSSLCRLDIR")
        .refused("put the revocation lists into one file, with `sslcrl`"),
    with_variable("krbsrvname", "PGKRBSRVNAME").refused(NO_GSS),
    with_variable("gsslib", "PGGSSLIB").refused(NO_GSS),
    with_variable("gssdelegation", "PGGSSDELEGATION").refused(NO_GSS),
    option("sslpassword").refused("decrypt the key file, and protect it by its mode"),
    option("sslcompression").refused("no server compresses TLS any more"),
    option("sslkeylogfile").refused("the keys of a session are not given away"),
    option("scram_client_key").refused("use a password"),
    option("scram_server_key").refused("use a password"),
    option("replication").refused("sessions are for statements"),
    with_variable("min_protocol_version", "PGMINPROTOCOLVERSION").refused("the protocol is 3.0"),
    with_variable("max_protocol_version", "PGMAXPROTOCOLVERSION").refused("the protocol is 3.0"),
];

/// Finds an option by its exact name.
pub(super) fn find(name: &str, origin: &Origin) -> Result<&'static Known, ConfigError> {
    OPTIONS.iter().find(|known| known.name == name).ok_or_else(|| ConfigError::Unknown {
        option: shown(name),
        origin: origin.clone(),
        similar: similar(name),
    })
}

impl Known {
    /// Refuses what is not supported.
    pub(super) fn check(&self, origin: &Origin) -> Result<(), ConfigError> {
        match self.refusal {
            None => Ok(()),
            Some(reason) => {
                Err(ConfigError::Unsupported { option: self.name, origin: origin.clone(), reason })
            }
        }
    }
}

/// What does not look like an option's name may be a part of a password that was not percent-encoded.
fn shown(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    match plain && (1..=40).contains(&name.len()) {
        true => format!("`{name}`"),
        false => "(its name is not shown: it looks like none)".into(),
    }
}

/// The known option that differs in nothing but case and punctuation, or is known by another name elsewhere.
fn similar(name: &str) -> Option<&'static str> {
    let bare = |text: &str| text.to_lowercase().replace(['_', '-', '.'], "");
    let wanted = match bare(name).as_str() {
        "database" | "db" => "dbname".into(),
        "username" => "user".into(),
        "keepalivesretries" => "keepalivescount".into(),
        "passwordfile" => "passwordfile".into(),
        "searchpath" => "options".into(),
        other => other.to_owned(),
    };
    OPTIONS.iter().find(|known| bare(known.name) == wanted).map(|known| known.name)
}
