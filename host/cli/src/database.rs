//! Which database an app gets, and the server behind it.

use std::{fmt, str::FromStr, sync::Arc};

use fasterapi_core::{DatabaseAlias, Secret, TenantId};

use crate::exit::Failure;

/// What `--pg` says.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// The private server that the host supervises itself.
    Embedded,
    /// A server of the operator's.
    Url(Secret),
    /// None: the app's calls are refused.
    None,
}

impl FromStr for DatabaseChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "none" => Ok(Self::None),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::Url(Secret::new(url.to_owned())))
            }
            // The text may be a mistyped URL with a password in it: it is not repeated.
            _ => Err("it is none of `embedded`, a postgres:// URL, `none`".into()),
        }
    }
}

impl fmt::Debug for DatabaseChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Url(_) => "postgres://…",
            Self::None => "none",
        })
    }
}

impl DatabaseChoice {
    /// The choice of a host that was told nothing: `DATABASE_URL`, else the embedded server where the app uses one.
    #[must_use]
    pub fn default_for(app_uses_postgres: bool) -> Self {
        let url = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        match url {
            Some(url) => Self::Url(Secret::new(url)),
            None if app_uses_postgres => Self::Embedded,
            None => Self::None,
        }
    }
}

/// The host's databases, and the embedded server if there is one.
pub struct Databases {
    registry: Arc<fasterapi_capabilities::postgres::Databases>,
}
impl Databases {
    pub(crate) async fn open(_c: DatabaseChoice) -> Result<Self, Failure> { let _ = (DatabaseAlias::default(), TenantId::default()); Ok(Self { registry: Arc::default() }) }
    pub(crate) fn registry(&self) -> Arc<fasterapi_capabilities::postgres::Databases> { Arc::clone(&self.registry) }
    pub(crate) async fn close(self) {}
}
