//! Which database an app gets, and the server behind it.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use fasterapi_builder::{Cache, pg_binaries};
use fasterapi_core::{DatabaseAlias, Secret, TenantId};
use fasterapi_postgres::{
    ConfigError, DatabaseConfig, Databases as Registry,
    embedded::{EmbeddedConfig, EmbeddedError, EmbeddedServer},
};

use crate::{config::HostConfig, exit::Failure, output};

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
    registry: Arc<Registry>,
    server: Option<EmbeddedServer>,
}

impl Databases {
    /// Opens the databases of `config`, and shows that each answers.
    ///
    /// # Errors
    /// When one does not. The message is for the operator: it names the server's address, never a password.
    pub async fn open(config: &HostConfig) -> Result<Self, Failure> {
        let tenant = TenantId::default();
        let (mut builder, mut server) = (Registry::builder(), None);
        if let Some(most) = config.max_sessions {
            builder = builder.max_sessions(most);
        }
        for (alias, table) in &config.databases {
            let place = match &table.url {
                DatabaseChoice::None => continue,
                DatabaseChoice::Url(url) => DatabaseConfig::from_url(url).map_err(|e| at_fault(alias, &e))?,
                DatabaseChoice::Embedded => {
                    if server.is_none() {
                        server = Some(embedded(DataFolder::default()).await?);
                    }
                    let database = server.as_deref().map(|address| address.database(DATABASE));
                    database.ok_or_else(|| Failure::other("the embedded server is gone"))?.answering_any_url()
                }
            };
            builder = builder.grant(tenant.clone(), alias.clone(), table.apply(place));
        }
        let registry = builder.build();
        for (alias, _) in config.databases.iter().filter(|(_, table)| table.url != DatabaseChoice::None) {
            registry.check(&tenant, alias).await.map_err(Failure::input)?;
        }
        Ok(Self { registry: Arc::new(registry), server })
    }

    /// Opens what `choice` says, as the default database.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_default(choice: DatabaseChoice) -> Result<Self, Failure> {
        Self::open(&HostConfig::default().with_default(choice)).await
    }

    /// The pools, by tenant and alias.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Closes the pools, then stops the embedded server.
    pub async fn close(self) {
        self.registry.close().await;
        if let Some(server) = self.server {
            // Stopping blocks for as long as Postgres takes to write its checkpoint.
            let _ = tokio::task::spawn_blocking(move || server.stop()).await;
        }
    }
}

fn at_fault(alias: &DatabaseAlias, error: &ConfigError) -> Failure {
    Failure::input(format!("database `{alias}`: {error}"))
}

/// The database of the embedded server that apps get.
pub(crate) const DATABASE: &str = "fasterapi";

/// Where the embedded server keeps its data: `FASTERAPI_PG_DATA`, else the user's data folder.
pub(crate) struct DataFolder(pub(crate) PathBuf);

impl Default for DataFolder {
    fn default() -> Self {
        let named = std::env::var_os("FASTERAPI_PG_DATA").filter(|path| !path.is_empty()).map(PathBuf::from);
        let users = || {
            directories::ProjectDirs::from("", "", "fasterapi-host")
                .map(|dirs| dirs.data_local_dir().join("postgres"))
        };
        Self(named.or_else(users).unwrap_or_else(|| std::env::temp_dir().join("fasterapi-host-postgres")))
    }
}

/// Starts the embedded server, or finds the one that runs on `folder`, and makes sure of [`DATABASE`].
pub(crate) async fn embedded(folder: DataFolder) -> Result<EmbeddedServer, Failure> {
    let started = tokio::task::spawn_blocking(move || start(folder)).await.map_err(Failure::other)?;
    let server = started?;
    server.create_database(DATABASE).await.map_err(Failure::other)?;
    Ok(server)
}

/// Falls back on Postgres from PyPI, kept in the cache, when the machine has none.
fn start(folder: DataFolder) -> Result<EmbeddedServer, Failure> {
    let mut config = EmbeddedConfig { data_dir: folder.0, extra_bin_dirs: Vec::new() };
    match EmbeddedServer::start(&config) {
        Err(EmbeddedError::NotFound { .. }) => {
            let cache = Cache::open().map_err(Failure::other)?;
            config.extra_bin_dirs =
                vec![pg_binaries::ensure(&cache, &output::progress).map_err(Failure::other)?];
            EmbeddedServer::start(&config).map_err(Failure::input)
        }
        started => started.map_err(Failure::input),
    }
}
