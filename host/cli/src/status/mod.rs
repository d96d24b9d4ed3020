//! What a running server says of itself to `fasterapi-host pg status`, over a Unix socket in a folder of its user's own.
//!
//! Whoever connects gets a [`Report`] as JSON, and the connection closes. The folder is the user's alone (0700), so
//! there is no other access control. No secret is in a report: no value of a statement, no address of a database.

mod listen;
mod show;

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
};

use fasterapi_postgres::{Databases, PoolStatus, StatementReport};
use serde::{Deserialize, Serialize};

pub(crate) use self::{listen::StatusSocket, show::run};
use crate::{exit::Failure, server::cache_folder};

/// A server at one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pid: u32,
    /// The component's file, or the app that `dev` serves.
    component: String,
    /// Where it listens.
    address: String,
    databases: Vec<DatabaseReport>,
}

/// One granted database.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DatabaseReport {
    tenant: String,
    database: String,
    pool: PoolStatus,
    statements: Vec<StatementReport>,
}

impl DatabaseReport {
    fn all(databases: &Databases) -> Vec<Self> {
        let pools = databases.status().zip(databases.statistics());
        let report = |((tenant, database, pool), (_, _, statements)): (_, (_, _, _))| Self {
            tenant: ToString::to_string(tenant),
            database: ToString::to_string(database),
            pool,
            statements,
        };
        pools.map(report).collect()
    }
}

/// Where the sockets of this user's servers are.
fn folder() -> Result<PathBuf, Failure> {
    let folder = cache_folder()?.join("run");
    let failed = |error| Failure::other(format!("cannot use the folder {}: {error}", folder.display()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    Ok(folder)
}
