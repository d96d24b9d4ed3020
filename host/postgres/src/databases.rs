//! The registry: which tenant may use which databases, each with its own pool.
//!
//! Pools are keyed by tenant and alias, so that a session is never shared between tenants. The registry does not
//! change; a new configuration makes a new one.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use fasterapi_core::{DatabaseAlias, TenantId};
use percent_encoding::percent_decode_str;
use tokio::time::{interval, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Database, DatabaseConfig, PgError, PoolStatus, StatementReport,
    config::is_postgres_url,
    listen::Hub,
    pool::{Cap, Pool},
    statistics::{Observer, Statistics},
};

/// How often the pools are looked after.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Longest wait of [`Databases::close`] for sessions that are being cleaned.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The grants of one tenant. Ordered, so that messages are.
type Grants = BTreeMap<DatabaseAlias, Grant>;

/// What stands behind one alias of a tenant's.
struct Grant {
    pool: Pool,
    hub: Hub,
    statistics: Arc<Statistics>,
}

/// Collects grants.
#[derive(Debug, Default)]
pub struct DatabasesBuilder {
    grants: Vec<(TenantId, DatabaseAlias, DatabaseConfig)>,
    max_sessions: Option<NonZeroUsize>,
    tenant_max_sessions: HashMap<TenantId, NonZeroUsize>,
}

impl DatabasesBuilder {
    /// Grants `tenant` a database under `alias`; a second grant of the same alias replaces the first.
    #[must_use]
    pub fn grant(mut self, tenant: TenantId, alias: DatabaseAlias, config: DatabaseConfig) -> Self {
        self.grants.push((tenant, alias, config));
        self
    }

    /// Bounds the sessions of all pools together, and the listening connections with them: one of each database on which
    /// somebody listens. At the bound, a pool that needs one has another close an idle one.
    #[must_use]
    pub fn max_sessions(mut self, most: NonZeroUsize) -> Self {
        self.max_sessions = Some(most);
        self
    }

    /// Bounds the sessions and listening connections of one tenant together.
    #[must_use]
    pub fn tenant_max_sessions(mut self, tenant: TenantId, most: NonZeroUsize) -> Self {
        self.tenant_max_sessions.insert(tenant, most);
        self
    }

    /// Makes the registry. Connections are made in the background, where a grant keeps some ready, and when they are
    /// needed. Must be called on a tokio runtime, which then runs its background work.
    #[must_use]
    pub fn build(self) -> Databases {
        let (menders, closed) = (TaskTracker::new(), CancellationToken::new());
        let host = self.max_sessions.map(Cap::new);
        let of_tenant = |(tenant, most)| (tenant, Cap::new(most));
        let caps: HashMap<TenantId, Arc<Cap>> = self.tenant_max_sessions.into_iter().map(of_tenant).collect();
        let mut tenants: HashMap<TenantId, Grants> = HashMap::new();
        for (tenant, alias, config) in self.grants {
            let caps = caps.get(&tenant).into_iter().chain(&host).cloned().collect();
            let pool = Pool::new(alias.clone(), config, caps, menders.clone());
            let hub = Hub::new(pool.clone(), closed.clone());
            let slow = pool.config().limits().slow_statement;
            let statistics = Statistics::new(tenant.clone(), alias.clone(), slow);
            tenants.entry(tenant).or_default().insert(alias, Grant { pool, hub, statistics });
        }
        let grants = tenants.values().flat_map(BTreeMap::values);
        let pools: Vec<Pool> = grants.map(|grant| grant.pool.clone()).collect();
        caps.values().chain(&host).for_each(|cap| Pool::govern(&pools, cap));
        tokio::spawn(closed.clone().run_until_cancelled_owned(keep(pools)));
        Databases { tenants, menders, closed }
    }
}

async fn keep(pools: Vec<Pool>) {
    let mut ticks = interval(KEEP_EVERY);
    loop {
        ticks.tick().await;
        pools.iter().for_each(Pool::keep);
    }
}

/// All granted databases of a host. Dropping it closes the pools as [`close`](Self::close) does, without waiting.
pub struct Databases {
    tenants: HashMap<TenantId, Grants>,
    menders: TaskTracker,
    closed: CancellationToken,
}

impl Databases {
    /// Starts a registry.
    #[must_use]
    pub fn builder() -> DatabasesBuilder {
        DatabasesBuilder::default()
    }

    /// Finds the alias that `target` means: an alias, or a `postgres://` URL whose database name selects the grant
    /// (its host, user and password are ignored). Makes no connection. Of several grants of one database `default`
    /// is preferred, then the first by name.
    ///
    /// # Errors
    /// `denied` when no grant matches; the message lists the aliases granted.
    pub fn resolve(&self, tenant: &TenantId, target: &str) -> Result<DatabaseAlias, PgError> {
        let grants = self.tenants.get(tenant);
        let found = match target {
            url if is_postgres_url(url) => grants.and_then(|grants| by_url(grants, url)),
            alias => grants.and_then(|grants| grants.keys().find(|known| known.as_str() == alias)),
        };
        found.cloned().ok_or_else(|| {
            let named = match database_of(target) {
                Some(name) => format!("no grant for a database named `{name}`"),
                None if target.contains("://") => "no grant matches the url".into(),
                None => format!("no grant for the database `{}`", shortened(target)),
            };
            PgError::denied(format!("{named}; {}", granted(grants)))
        })
    }

    /// The database that `tenant` was granted as `alias`. Makes no connection.
    ///
    /// # Errors
    /// `denied` when there is no such grant.
    pub fn database(&self, tenant: &TenantId, alias: &DatabaseAlias) -> Result<Database, PgError> {
        let Grant { pool, hub, statistics } = self.grant(tenant, alias)?;
        Ok(Database::new(pool.clone(), hub.clone(), Observer::new(statistics)))
    }

    /// How each pool stands now, by tenant and alias.
    pub fn status(&self) -> impl Iterator<Item = (&TenantId, &DatabaseAlias, PoolStatus)> {
        self.tenants.iter().flat_map(|(tenant, grants)| {
            grants.iter().map(move |(alias, grant)| (tenant, alias, grant.pool.status()))
        })
    }

    /// What the calls on each database did since the start, by tenant and alias: a report for each route and form of a
    /// statement.
    pub fn statistics(&self) -> impl Iterator<Item = (&TenantId, &DatabaseAlias, Vec<StatementReport>)> {
        self.tenants.iter().flat_map(|(tenant, grants)| {
            grants.iter().map(move |(alias, grant)| (tenant, alias, grant.statistics.report()))
        })
    }

    /// Asks the database's server for an answer, for the start of the host.
    ///
    /// # Errors
    /// Made for the operator: the message of a failed connect names the address and the reason, never a credential.
    pub async fn check(&self, tenant: &TenantId, alias: &DatabaseAlias) -> Result<(), PgError> {
        let answer = self.database(tenant, alias)?.check().await;
        answer.map_err(|error| error.for_operator(alias.as_str()))
    }

    /// Closes all pools: waiting and later calls fail, running ones end in peace. Waits a little for sessions that
    /// are being cleaned.
    pub async fn close(&self) {
        self.shut();
        self.menders.close();
        if timeout(CLOSE_TIMEOUT, self.menders.wait()).await.is_err() {
            tracing::warn!("postgres sessions were still being cleaned at close");
        }
    }

    fn shut(&self) {
        self.closed.cancel();
        let grants = self.tenants.values().flat_map(BTreeMap::values);
        grants.for_each(|grant| grant.pool.close());
    }

    fn grant(&self, tenant: &TenantId, alias: &DatabaseAlias) -> Result<&Grant, PgError> {
        let grants = self.tenants.get(tenant);
        grants.and_then(|grants| grants.get(alias)).ok_or_else(|| {
            PgError::denied(format!("no grant for the database `{alias}`; {}", granted(grants)))
        })
    }
}

fn by_url<'a>(grants: &'a Grants, url: &str) -> Option<&'a DatabaseAlias> {
    let name = database_of(url);
    let preferred = |fits: &dyn Fn(&Pool) -> bool| {
        let fallback = DatabaseAlias::default();
        let mut fitting = grants.iter().filter(|(_, grant)| fits(&grant.pool)).map(|(alias, _)| alias);
        let first = fitting.next()?;
        if *first == fallback {
            Some(first)
        } else {
            Some(fitting.find(|a| **a == fallback).unwrap_or(first))
        }
    };
    preferred(&|pool| name.is_some() && pool.config().database() == name.as_deref())
        .or_else(|| preferred(&|pool| pool.config().any_url))
}

/// The database that a URL names: its path, else its user, as in libpq.
fn database_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://").filter(|_| is_postgres_url(url))?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let user = || authority.split_once('@').and_then(|(credentials, _)| credentials.split(':').next());
    let name = if path.is_empty() { user()? } else { path };
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty()).then(|| shortened(&name).to_owned())
}

/// No name of the server's is longer than 63 bytes; a message repeats no more of what a guest sent.
fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(64)).unwrap_or_default()
}

fn granted(grants: Option<&Grants>) -> String {
    match grants.filter(|grants| !grants.is_empty()) {
        None => "no database is granted".into(),
        Some(grants) => {
            let aliases: Vec<String> = grants.keys().map(|alias| format!("`{alias}`")).collect();
            format!("granted: {}", aliases.join(", "))
        }
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        self.shut();
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grants = self.tenants.iter().map(|(tenant, grants)| (tenant, grants.keys().collect::<Vec<_>>()));
        f.debug_map().entries(grants).finish()
    }
}
