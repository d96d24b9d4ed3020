//! An open transaction.

use std::sync::Arc;

use fasterapi_bindings::postgres::client::{self, CopyReader, CopyWriter, Rows, Transaction as Handle};
use fasterapi_postgres::Transaction;
use tokio::sync::Mutex;
use wasmtime::component::{Accessor, Resource};

use super::{
    Answer, Postgres, PostgresCtxView,
    client::{bytes_of, given},
    concurrent::asking,
    context::millis,
    error::refusal,
};

impl client::HostTransaction for PostgresCtxView<'_> {
    async fn query(
        &mut self,
        this: Resource<Handle>,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Vec<u8>> {
        let parameters = given!(bytes_of(parameters));
        let within = given!(self.transaction(&this)?).within(millis(timeout));
        Ok(within.query(&statement, &parameters).await.map_err(refusal))
    }

    async fn batch(&mut self, this: Resource<Handle>, statements: String, timeout: u32) -> Answer<Vec<u8>> {
        let statements = given!(bytes_of(statements));
        let within = given!(self.transaction(&this)?).within(millis(timeout));
        Ok(within.batch(&statements).await.map_err(refusal))
    }

    async fn stream(
        &mut self,
        this: Resource<Handle>,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        let place = given!(self.place());
        let parameters = given!(bytes_of(parameters));
        let within = given!(self.transaction(&this)?).within(millis(timeout));
        let rows = within.stream(&statement, &parameters).await;
        self.lend_rows_of(place, given!(rows.map_err(refusal))).map(Ok)
    }

    async fn copy_in(&mut self, this: Resource<Handle>, statement: String) -> Answer<Resource<CopyWriter>> {
        let place = given!(self.place());
        let copy = given!(self.transaction(&this)?).copy_in(&statement).await;
        self.lend(place, Mutex::new(Some(given!(copy.map_err(refusal))))).map(Ok)
    }

    async fn copy_out(&mut self, this: Resource<Handle>, statement: String) -> Answer<Resource<CopyReader>> {
        let place = given!(self.place());
        let copy = given!(self.transaction(&this)?).copy_out(&statement).await;
        self.lend(place, Mutex::new(given!(copy.map_err(refusal)))).map(Ok)
    }

    async fn savepoint(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(given!(self.transaction(&this)?).savepoint(&name).await.map_err(refusal))
    }

    async fn release(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(given!(self.transaction(&this)?).release(&name).await.map_err(refusal))
    }

    async fn rollback_to(&mut self, this: Resource<Handle>, name: String) -> Answer<()> {
        Ok(given!(self.transaction(&this)?).rollback_to(&name).await.map_err(refusal))
    }

    async fn commit(&mut self, this: Resource<Handle>) -> Answer<()> {
        Ok(given!(self.transaction(&this)?).commit().await.map_err(refusal))
    }

    async fn rollback(&mut self, this: Resource<Handle>) -> Answer<()> {
        Ok(given!(self.transaction(&this)?).rollback().await.map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<Handle>) -> wasmtime::Result<()> {
        self.give_back::<Transaction, _>(&this)
    }
}

impl PostgresCtxView<'_> {
    fn transaction(&mut self, handle: &Resource<Handle>) -> Answer<&Transaction> {
        Ok(self.sole(handle)?.map(|transaction| &*transaction))
    }
}

impl<T: Send> client::HostTransactionWithStore<T> for Postgres {
    async fn query_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Vec<u8>> {
        let parameters = given!(bytes_of(parameters));
        let transaction = shared(accessor, &this)?;
        let within = transaction.within(millis(timeout));
        asking(accessor, ticket, within.query(&statement, &parameters)).await
    }

    async fn batch_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        statements: String,
        timeout: u32,
    ) -> Answer<Vec<u8>> {
        let statements = given!(bytes_of(statements));
        let transaction = shared(accessor, &this)?;
        asking(accessor, ticket, transaction.within(millis(timeout)).batch(&statements)).await
    }

    async fn stream_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        let place = given!(accessor.with(|mut access| access.get().place()));
        let parameters = given!(bytes_of(parameters));
        let transaction = shared(accessor, &this)?;
        let within = transaction.within(millis(timeout));
        let rows = given!(asking(accessor, ticket, within.stream(&statement, &parameters)).await?);
        accessor.with(|mut access| access.get().lend_rows_of(place, rows)).map(Ok)
    }

    async fn copy_in_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        statement: String,
    ) -> Answer<Resource<CopyWriter>> {
        let place = given!(accessor.with(|mut access| access.get().place()));
        let copy = given!(asking(accessor, ticket, shared(accessor, &this)?.copy_in(&statement)).await?);
        accessor.with(|mut access| access.get().lend(place, Mutex::new(Some(copy)))).map(Ok)
    }

    async fn copy_out_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        statement: String,
    ) -> Answer<Resource<CopyReader>> {
        let place = given!(accessor.with(|mut access| access.get().place()));
        let copy = given!(asking(accessor, ticket, shared(accessor, &this)?.copy_out(&statement)).await?);
        accessor.with(|mut access| access.get().lend(place, Mutex::new(copy))).map(Ok)
    }

    async fn savepoint_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        name: String,
    ) -> Answer<()> {
        asking(accessor, ticket, shared(accessor, &this)?.savepoint(&name)).await
    }

    async fn release_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        name: String,
    ) -> Answer<()> {
        asking(accessor, ticket, shared(accessor, &this)?.release(&name)).await
    }

    async fn rollback_to_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Handle>,
        ticket: u32,
        name: String,
    ) -> Answer<()> {
        asking(accessor, ticket, shared(accessor, &this)?.rollback_to(&name)).await
    }

    async fn commit_async(accessor: &Accessor<T, Self>, this: Resource<Handle>, ticket: u32) -> Answer<()> {
        asking(accessor, ticket, shared(accessor, &this)?.commit()).await
    }

    async fn rollback_async(accessor: &Accessor<T, Self>, this: Resource<Handle>, ticket: u32) -> Answer<()> {
        asking(accessor, ticket, shared(accessor, &this)?.rollback()).await
    }
}

fn shared<S>(
    accessor: &Accessor<S, Postgres>,
    handle: &Resource<Handle>,
) -> wasmtime::Result<Arc<Transaction>> {
    accessor.with(|mut access| access.get().shared(handle))
}
