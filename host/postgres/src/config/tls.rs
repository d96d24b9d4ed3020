//! The TLS options (PostgreSQL documentation, "SSL Support").
//!
//! In two things stricter than libpq: a file that an option names must be there and be readable in every mode but
//! `disable`, and what is wrong with it is said when the configuration is made.

use std::path::PathBuf;

use rustls::{SupportedProtocolVersion, version};

use super::{
    ConfigError, files,
    settings::{Environment, Settings},
};
use crate::tls::{Mode, Plan, Roots, Tls};

const MODES: &[(&str, Mode)] = &[
    ("disable", Mode::Disable),
    ("allow", Mode::Allow),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

/// Reads the options, and the files that they name.
pub(super) fn new(settings: &Settings, environment: Environment<'_>) -> Result<Tls, ConfigError> {
    let mode = settings.word("sslmode", MODES)?;
    let roots = roots(settings, environment);
    let from_system = matches!(roots, Roots::System { .. });
    let mode = mode.unwrap_or(if from_system { Mode::VerifyFull } else { Mode::Prefer });
    let direct = settings.word("sslnegotiation", &[("postgres", false), ("direct", true)])?.unwrap_or(false);
    let revoked = settings.get("sslcrl").map(PathBuf::from);
    if from_system && mode != Mode::VerifyFull {
        return Err(weak("sslrootcert=system", "verify-full"));
    }
    if direct && mode < Mode::Require {
        return Err(weak("sslnegotiation=direct", "require, verify-ca or verify-full"));
    }
    if mode >= Mode::VerifyCa && roots == Roots::None {
        return Err(ConfigError::conflict(
            "`sslmode` asks for the server's certificate to be verified, and there is no root certificate",
            "name its file with `sslrootcert`, or trust the system's with `sslrootcert=system`",
        ));
    }
    if revoked.is_some() && roots == Roots::None {
        return Err(ConfigError::conflict(
            "`sslcrl` is set, and there is no root certificate to verify the server's with",
            "name its file with `sslrootcert`",
        ));
    }
    let plan = Plan {
        roots,
        revoked,
        client: client(settings, environment)?,
        versions: versions(settings)?,
        sni: settings.word("sslsni", &[("0", false), ("1", true)])?.unwrap_or(true),
        names: mode == Mode::VerifyFull,
    };
    Tls::new(mode, direct, plan)
}

fn weak(option: &str, modes: &str) -> ConfigError {
    ConfigError::conflict(
        format!("`{option}` goes only with sslmode {modes}"),
        format!("set sslmode to {modes}"),
    )
}

/// As in libpq, a root certificate in its default place is used in every mode.
fn roots(settings: &Settings, environment: Environment<'_>) -> Roots {
    let named = |variable| environment(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    match settings.get("sslrootcert") {
        Some("system") => Roots::System { file: named("SSL_CERT_FILE"), folder: named("SSL_CERT_DIR") },
        Some(path) => Roots::File(path.into()),
        None => {
            let default = files::in_home(environment, ".postgresql/root.crt").filter(|path| path.exists());
            default.map_or(Roots::None, Roots::File)
        }
    }
}

fn client(
    settings: &Settings,
    environment: Environment<'_>,
) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
    if settings.word("sslcertmode", &[("disable", false), ("allow", true)])? == Some(false) {
        return Ok(None);
    }
    let default = |name: &str| files::in_home(environment, name).filter(|path| path.exists());
    let named = settings.get("sslcert").map(PathBuf::from);
    let certificate = named.or_else(|| default(".postgresql/postgresql.crt"));
    let key = settings.get("sslkey").map(PathBuf::from);
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (Some(certificate), None) => match default(".postgresql/postgresql.key") {
            Some(key) => Ok(Some((certificate, key))),
            None => Err(ConfigError::conflict(
                format!("there is a client certificate, `{}`, and no key", certificate.display()),
                "name the key's file with `sslkey`, or use no certificate with `sslcertmode=disable`",
            )),
        },
        (None, Some(key)) => Err(ConfigError::conflict(
            format!("there is a client's key, `{}`, and no certificate", key.display()),
            "name the certificate's file with `sslcert`",
        )),
        (None, None) => Ok(None),
    }
}

/// The protocol's versions within the bounds. Older ones than 1.2 are never spoken.
fn versions(settings: &Settings) -> Result<&'static [&'static SupportedProtocolVersion], ConfigError> {
    static ONLY_12: &[&SupportedProtocolVersion] = &[&version::TLS12];
    static ONLY_13: &[&SupportedProtocolVersion] = &[&version::TLS13];
    const WORDS: &[(&str, u8)] = &[("TLSv1", 10), ("TLSv1.1", 11), ("TLSv1.2", 12), ("TLSv1.3", 13)];
    let least = settings.word("ssl_min_protocol_version", WORDS)?.unwrap_or(12);
    match settings.word("ssl_max_protocol_version", WORDS)?.unwrap_or(13) {
        most if most < least => {
            Err(settings.invalid("ssl_max_protocol_version", "it is below `ssl_min_protocol_version`"))
        }
        10 | 11 => {
            Err(settings.invalid("ssl_max_protocol_version", "versions before TLSv1.2 are not spoken"))
        }
        12 => Ok(ONLY_12),
        _ if least == 13 => Ok(ONLY_13),
        _ => Ok(rustls::ALL_VERSIONS),
    }
}
