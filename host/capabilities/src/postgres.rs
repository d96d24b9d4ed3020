//! `fasterapi:postgres`: the databases granted to a guest, by alias.
//!
//! The pools, the protocol and all waiting are the postgres crate's; here its calls are lent to a guest, and its
//! errors become the guest's. A call that the host drops (a cancelled request, a dead instance) cancels its statement;
//! a transaction that goes with its instance is rolled back.
#![allow(
    clippy::result_large_err,
    reason = "the guest's error is a record of many optional fields, and rare"
)]

use std::sync::Arc;

use fasterapi_bindings::postgres::{
    client::{self, Transaction as Handle},
    types::{self, Error, ErrorKind},
};
use fasterapi_core::{DatabaseAlias, TenantId, latin1_bytes};
use fasterapi_postgres::{
    Database, Databases, Isolation, PgError, PgErrorKind, Transaction, TransactionOptions,
};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

/// How many transactions one instance may hold open.
const MAX_TRANSACTIONS: usize = 8;

/// What a revision may use: the databases of its tenant.
#[derive(Debug)]
pub struct PostgresGrants {
    /// The host's databases.
    pub databases: Arc<Databases>,
    /// Whose grants count.
    pub tenant: TenantId,
}

/// What an instance carries.
pub struct PostgresCtx {
    grants: Arc<PostgresGrants>,
    open: usize,
}

impl PostgresCtx {
    /// The context of an instance with these grants.
    #[must_use]
    pub const fn new(grants: Arc<PostgresGrants>) -> Self {
        Self { grants, open: 0 }
    }

    /// How many transactions the instance holds open.
    #[must_use]
    pub const fn open_transactions(&self) -> usize {
        self.open
    }
}

/// The view of a store's data that this capability works on.
pub struct PostgresCtxView<'a> {
    /// The instance's context.
    pub ctx: &'a mut PostgresCtx,
    /// The instance's handles.
    pub table: &'a mut ResourceTable,
}

/// Store data that has this capability.
pub trait PostgresView: Send {
    /// The view.
    fn postgres(&mut self) -> PostgresCtxView<'_>;
}

struct Postgres;

impl HasData for Postgres {
    type Data<'a> = PostgresCtxView<'a>;
}

/// Lends `fasterapi:postgres/client` to the guests of `linker`.
///
/// # Errors
/// When the linker already has it.
pub fn add_to_linker<T: PostgresView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    client::add_to_linker::<T, Postgres>(linker, T::postgres)
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl types::Host for PostgresCtxView<'_> {}

impl client::Host for PostgresCtxView<'_> {
    async fn resolve(&mut self, target: String) -> Answer<String> {
        let grants = &self.ctx.grants;
        let alias = grants.databases.resolve(&grants.tenant, &target);
        Ok(alias.map(|alias| alias.as_str().to_owned()).map_err(refusal))
    }

    async fn query(&mut self, database: String, statement: String, parameters: String) -> Answer<Vec<u8>> {
        let (database, parameters) = match (self.database(&database), bytes_of(parameters)) {
            (Ok(database), Ok(parameters)) => (database, parameters),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        Ok(database.query(&statement, &parameters).await.map_err(refusal))
    }

    async fn begin(
        &mut self,
        database: String,
        options: types::TransactionOptions,
    ) -> Answer<Resource<Handle>> {
        if self.ctx.open >= MAX_TRANSACTIONS {
            let message = format!("more than {MAX_TRANSACTIONS} transactions are open in this instance");
            return Ok(Err(own_error(ErrorKind::Usage, message)));
        }
        let database = match self.database(&database) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match database.begin(transaction_options(&options)).await {
            Ok(transaction) => {
                let handle = self.table.push(transaction)?;
                self.ctx.open += 1;
                Ok(Resource::new_own(handle.rep()))
            }
            Err(error) => Err(refusal(error)),
        })
    }
}

impl PostgresCtxView<'_> {
    fn database(&self, alias: &str) -> Result<Database, Error> {
        let alias = DatabaseAlias::new(alias).map_err(|e| own_error(ErrorKind::Denied, e.to_string()))?;
        let grants = &self.ctx.grants;
        grants.databases.database(&grants.tenant, &alias).map_err(refusal)
    }

    fn transaction(&self, handle: &Resource<Handle>) -> wasmtime::Result<&Transaction> {
        Ok(self.table.get(&Resource::new_borrow(handle.rep()))?)
    }
}

impl client::HostTransaction for PostgresCtxView<'_> {
    async fn query(
        &mut self,
        this: Resource<Handle>,
        statement: String,
        parameters: String,
    ) -> Answer<Vec<u8>> {
        let parameters = match bytes_of(parameters) {
            Ok(parameters) => parameters,
            Err(error) => return Ok(Err(error)),
        };
        let block = self.transaction(&this)?.query(&statement, &parameters).await;
        Ok(block.map_err(refusal))
    }

    async fn savepoint(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(self.transaction(&this)?.savepoint(&name).await.map_err(refusal))
    }

    async fn release(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(self.transaction(&this)?.release(&name).await.map_err(refusal))
    }

    async fn rollback_to(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(self.transaction(&this)?.rollback_to(&name).await.map_err(refusal))
    }

    async fn commit(&mut self, this: Resource<Handle>) -> Answer<()> {
        Ok(self.transaction(&this)?.commit().await.map_err(refusal))
    }

    async fn rollback(&mut self, this: Resource<Handle>) -> Answer<()> {
        Ok(self.transaction(&this)?.rollback().await.map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<Handle>) -> wasmtime::Result<()> {
        let _: Transaction = self.table.delete(Resource::new_own(this.rep()))?;
        self.ctx.open = self.ctx.open.saturating_sub(1);
        Ok(())
    }
}

/// The bytes of a packed block, which comes as latin-1.
fn bytes_of(text: String) -> Result<Vec<u8>, Error> {
    let no_bytes = || own_error(ErrorKind::Usage, "the parameters have a character that is no byte".into());
    latin1_bytes(text).ok_or_else(no_bytes)
}

const fn transaction_options(options: &types::TransactionOptions) -> TransactionOptions {
    let isolation = match options.isolation {
        None => None,
        Some(types::Isolation::ReadCommitted) => Some(Isolation::ReadCommitted),
        Some(types::Isolation::RepeatableRead) => Some(Isolation::RepeatableRead),
        Some(types::Isolation::Serializable) => Some(Isolation::Serializable),
    };
    TransactionOptions { isolation, read_only: options.read_only, deferrable: options.deferrable, retries: 0 }
}

fn own_error(kind: ErrorKind, message: String) -> Error {
    Error {
        kind,
        message,
        sqlstate: None,
        severity: None,
        detail: None,
        hint: None,
        schema: None,
        table: None,
        column: None,
        data_type: None,
        constraint: None,
        position: None,
        retryable: false,
    }
}

/// The one table of Postgres errors to the guest's. What only the operator may see goes to the log here.
fn refusal(error: PgError) -> Error {
    if let Some(reason) = error.operator() {
        tracing::warn!(reason, "postgres: {error}");
    }
    let kind = match error.kind {
        PgErrorKind::Connection => ErrorKind::Connection,
        PgErrorKind::Timeout => ErrorKind::Timeout,
        PgErrorKind::Canceled => ErrorKind::Canceled,
        PgErrorKind::Usage => ErrorKind::Usage,
        PgErrorKind::Denied => ErrorKind::Denied,
        PgErrorKind::TooLarge => ErrorKind::TooLarge,
        _ => ErrorKind::Database,
    };
    let plain = Error { retryable: error.retryable, ..own_error(kind, error.message) };
    let Some(report) = error.report else { return plain };
    let report = *report;
    Error {
        sqlstate: Some(report.sqlstate).filter(|state| !state.is_empty()),
        severity: Some(report.severity).filter(|severity| !severity.is_empty()),
        detail: report.detail,
        hint: report.hint,
        schema: report.schema,
        table: report.table,
        column: report.column,
        data_type: report.data_type,
        constraint: report.constraint,
        position: report.position,
        ..plain
    }
}
