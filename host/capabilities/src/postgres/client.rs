//! The functions of the interface: each statement on its own, and what begins something longer.

use fasterapi_bindings::postgres::{
    client::{self, CopyReader, CopyWriter, Listener, Rows, Transaction},
    types,
};
use fasterapi_core::latin1_bytes;
use fasterapi_postgres::{Format, Isolation, RowStream, TransactionOptions};
use wasmtime::component::Resource;

use super::{
    Answer, PostgresCtxView,
    context::{millis, usage},
    error::refusal,
    listener::SharedListener,
};

/// The value, or the guest's error as the call's answer.
macro_rules! given {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}
pub(super) use given;

impl client::Host for PostgresCtxView<'_> {
    async fn resolve(&mut self, target: String) -> Answer<String> {
        let grants = &self.ctx.grants;
        let alias = grants.databases.resolve(&grants.tenant, &target);
        Ok(alias.map(|alias| alias.as_str().to_owned()).map_err(refusal))
    }

    async fn query(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<(Vec<u8>, Option<Resource<Rows>>)> {
        let database = given!(self.database(&database)).within(millis(timeout));
        let parameters = given!(bytes_of(parameters));
        let (block, rest) = given!(database.fetch(&statement, &parameters).await.map_err(refusal));
        self.lend_rest(rest).map(|rest| rest.map(|rest| (block, rest)))
    }

    async fn cancel(&mut self, ticket: u32) -> wasmtime::Result<()> {
        self.ctx.cancel(ticket);
        Ok(())
    }

    async fn batch(&mut self, database: String, statements: String, timeout: u32) -> Answer<Vec<u8>> {
        let database = given!(self.database(&database)).within(millis(timeout));
        let statements = given!(bytes_of(statements));
        Ok(database.batch(&statements).await.map_err(refusal))
    }

    async fn begin(
        &mut self,
        database: String,
        options: types::TransactionOptions,
    ) -> Answer<Resource<Transaction>> {
        let database = given!(self.leasable(&database));
        let begun = given!(database.begin(transaction_options(&options)).await.map_err(refusal));
        self.lend_lease(begun).map(Ok)
    }

    async fn stream(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        let database = given!(self.leasable(&database)).within(millis(timeout));
        let parameters = given!(bytes_of(parameters));
        let rows = given!(database.stream(&statement, &parameters).await.map_err(refusal));
        self.lend_lease(rows).map(Ok)
    }

    async fn copy_in(&mut self, database: String, statement: String) -> Answer<Resource<CopyWriter>> {
        let database = given!(self.leasable(&database));
        let copy = given!(database.copy_in(&statement).await.map_err(refusal));
        self.lend_lease(Some(copy)).map(Ok)
    }

    async fn copy_out(&mut self, database: String, statement: String) -> Answer<Resource<CopyReader>> {
        let database = given!(self.leasable(&database));
        let copy = given!(database.copy_out(&statement).await.map_err(refusal));
        self.lend_lease(copy).map(Ok)
    }

    async fn lend_rows(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        format: types::Format,
    ) -> Answer<u64> {
        let database = given!(self.leasable(&database));
        let parameters = given!(bytes_of(parameters));
        let format = match format {
            types::Format::Json => Format::Json,
            types::Format::Ndjson => Format::NdJson,
            types::Format::Csv => Format::Csv,
        };
        let document = database.document(&statement, &parameters, format).await;
        Ok(Ok(self.ctx.lent.put(Box::pin(given!(document.map_err(refusal))))))
    }

    async fn lend_copy(&mut self, database: String, statement: String) -> Answer<u64> {
        let database = given!(self.leasable(&database));
        let copy = given!(database.copy_out(&statement).await.map_err(refusal));
        Ok(Ok(self.ctx.lent.put(Box::pin(copy))))
    }

    async fn listen(&mut self, database: String, channels: String) -> Answer<Resource<Listener>> {
        let database = given!(self.leasable(&database));
        let channels: Vec<String> = channels.split('\0').map(str::to_owned).collect();
        let listener = given!(database.listen(&channels).await.map_err(refusal));
        self.lend_lease(SharedListener::new(listener)).map(Ok)
    }
}

impl PostgresCtxView<'_> {
    /// A handle on what a result did not hold.
    pub(super) fn lend_rest(&mut self, rest: Option<RowStream>) -> Answer<Option<Resource<Rows>>> {
        let Some(rest) = rest else { return Ok(Ok(None)) };
        given!(self.may_lease());
        self.lend_lease(rest).map(|rest| Ok(Some(rest)))
    }
}

/// The bytes of a packed block, which comes as latin-1.
pub(super) fn bytes_of(text: String) -> Result<Vec<u8>, types::Error> {
    latin1_bytes(text).ok_or_else(|| usage("the data has a character that is no byte".into()))
}

const fn transaction_options(options: &types::TransactionOptions) -> TransactionOptions {
    let isolation = match options.isolation {
        None => None,
        Some(types::Isolation::ReadCommitted) => Some(Isolation::ReadCommitted),
        Some(types::Isolation::RepeatableRead) => Some(Isolation::RepeatableRead),
        Some(types::Isolation::Serializable) => Some(Isolation::Serializable),
    };
    TransactionOptions {
        isolation,
        read_only: options.read_only,
        deferrable: options.deferrable,
        retries: options.retries,
    }
}
