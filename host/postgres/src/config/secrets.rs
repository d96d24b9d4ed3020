//! Where a database's password comes from.
//!
//! A file is read again at each log-in, so that a password that was rotated is used by the next session without a
//! restart; sessions that are logged in stay so.

use std::path::{Path, PathBuf};

use fasterapi_core::Secret;

use super::{
    ConfigError, files,
    passfile::{self, Wanted},
    settings::{Environment, Origin, Settings},
};

/// Where the password comes from.
#[derive(Clone, Debug)]
pub(crate) enum Password {
    /// As it is.
    Fixed(Secret),
    /// The file holds it and nothing else; a line break at the end is none of it.
    File(PathBuf),
    /// A line of a `.pgpass` holds it, which must be there if it was named.
    Passfile { path: PathBuf, named: bool },
    /// Nowhere: the server must ask for none.
    None,
}

impl Password {
    /// `password` and `password_file` of one place exclude each other; else the URL's stands before the environment's,
    /// and either before a password file.
    pub(super) fn new(settings: &Settings, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let by_environment =
            matches!(settings.origin("password"), Some(Origin::Environment(_) | Origin::Service(_)));
        match (settings.get("password"), settings.get("password_file")) {
            (Some(_), Some(_)) if !by_environment => Err(ConfigError::conflict(
                "both a password and a `password_file` are set",
                "set only `password_file`: it is read again at each log-in",
            )),
            (_, Some(file)) => {
                let file = PathBuf::from(file);
                alone(&file)?;
                Ok(Self::File(file))
            }
            (Some(password), None) => Ok(Self::Fixed(Secret::new(password.to_owned()))),
            (None, None) => Ok(Self::passfile(settings, environment)),
        }
    }

    fn passfile(settings: &Settings, environment: Environment<'_>) -> Self {
        let named = settings.get("passfile").map(PathBuf::from);
        let is_named = named.is_some();
        let path = named.or_else(|| files::in_home(environment, ".pgpass"));
        path.map_or(Self::None, |path| Self::Passfile { path, named: is_named })
    }

    /// Whether it may be another at the next log-in.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self, Self::File(_) | Self::Passfile { .. })
    }

    /// The password as it is now. Reads a file: not for a runtime's worker.
    pub(crate) fn read(&self, wanted: Wanted<'_>) -> Result<Option<Secret>, ConfigError> {
        match self {
            Self::Fixed(password) => Ok(Some(password.clone())),
            Self::File(path) => alone(path).map(Some),
            Self::Passfile { path, named: false } if !path.exists() => Ok(None),
            Self::Passfile { path, .. } => Ok(from_passfile(path, wanted)?.map(Secret::new)),
            Self::None => Ok(None),
        }
    }
}

fn alone(path: &Path) -> Result<Secret, ConfigError> {
    const USE: &str = "password_file";
    let text = files::read_text(USE, path)?;
    let password =
        text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    match password {
        "" => Err(ConfigError::file(USE, path, "it is empty")),
        password => Ok(Secret::new(password.to_owned())),
    }
}

/// As in libpq, a file that others could read is not used.
fn from_passfile(path: &Path, wanted: Wanted<'_>) -> Result<Option<String>, ConfigError> {
    if files::is_open_to_others(path) {
        tracing::warn!(
            file = %path.display(),
            "password file not used: its group or others have access; its mode should be 0600 or less"
        );
        return Ok(None);
    }
    Ok(passfile::lookup(&files::read_text("passfile", path)?, wanted))
}
