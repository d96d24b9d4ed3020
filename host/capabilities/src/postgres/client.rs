//! The functions of the interface: each statement on its own, and what begins something longer.

use fasterapi_bindings::postgres::{
    client::{self, CopyReader, CopyWriter, Listener, Rows, Transaction},
    types,
};
use fasterapi_core::latin1_bytes;
use fasterapi_postgres::{Format, Isolation, TransactionOptions};
use tokio::sync::Mutex;
use wasmtime::component::Resource;

use super::{
    Answer, PostgresCtxView,
    context::{millis, usage},
    error::refusal,
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
        let (place, database) = given!(self.leasable(&database));
        let begun = given!(database.begin(transaction_options(&options)).await.map_err(refusal));
        self.lend(place, begun).map(Ok)
    }

    async fn stream(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        let (place, database) = given!(self.leasable(&database));
        let parameters = given!(bytes_of(parameters));
        let rows = database.within(millis(timeout)).stream(&statement, &parameters).await;
        self.lend_rows_of(place, given!(rows.map_err(refusal))).map(Ok)
    }

    async fn copy_in(&mut self, database: String, statement: String) -> Answer<Resource<CopyWriter>> {
        let (place, database) = given!(self.leasable(&database));
        let copy = given!(database.copy_in(&statement).await.map_err(refusal));
        self.lend(place, Mutex::new(Some(copy))).map(Ok)
    }

    async fn copy_out(&mut self, database: String, statement: String) -> Answer<Resource<CopyReader>> {
        let (place, database) = given!(self.leasable(&database));
        let copy = given!(database.copy_out(&statement).await.map_err(refusal));
        self.lend(place, Mutex::new(copy)).map(Ok)
    }

    async fn lend_rows(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        format: types::Format,
    ) -> Answer<u64> {
        let (_place, database) = given!(self.leasable(&database));
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
        let (_place, database) = given!(self.leasable(&database));
        let copy = given!(database.copy_out(&statement).await.map_err(refusal));
        Ok(Ok(self.ctx.lent.put(Box::pin(copy))))
    }

    async fn listen(&mut self, database: String, channels: String) -> Answer<Resource<Listener>> {
        let (place, database) = given!(self.leasable(&database));
        let channels: Vec<String> = channels.split('\0').map(str::to_owned).collect();
        let listener = given!(database.listen(&channels).await.map_err(refusal));
        self.lend(place, Mutex::new(listener)).map(Ok)
    }
}

/// The bytes of a packed block, which comes as latin-1.
pub(super) fn bytes_of(text: String) -> Result<Vec<u8>, types::Error> {
    latin1_bytes(text).ok_or_else(|| usage("the data has a character that is no byte".into()))
}

pub(super) const fn transaction_options(options: &types::TransactionOptions) -> TransactionOptions {
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
