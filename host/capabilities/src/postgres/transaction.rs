//! An open transaction.

use fasterapi_bindings::postgres::client::{self, CopyReader, CopyWriter, Rows, Transaction as Handle};
use fasterapi_postgres::Transaction;
use wasmtime::component::Resource;

use super::{
    Answer, PostgresCtxView,
    client::{bytes_of, given},
    context::millis,
    error::refusal,
};

impl PostgresCtxView<'_> {
    fn transaction(&self, handle: &Resource<Handle>) -> wasmtime::Result<&Transaction> {
        self.held(handle)
    }
}

impl client::HostTransaction for PostgresCtxView<'_> {
    async fn query(
        &mut self,
        this: Resource<Handle>,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Vec<u8>> {
        let parameters = given!(bytes_of(parameters));
        let block = self.transaction(&this)?.within(millis(timeout)).query(&statement, &parameters).await;
        Ok(block.map_err(refusal))
    }

    async fn batch(&mut self, this: Resource<Handle>, statements: String, timeout: u32) -> Answer<Vec<u8>> {
        let statements = given!(bytes_of(statements));
        let blocks = self.transaction(&this)?.within(millis(timeout)).batch(&statements).await;
        Ok(blocks.map_err(refusal))
    }

    async fn stream(
        &mut self,
        this: Resource<Handle>,
        statement: String,
        parameters: String,
        timeout: u32,
    ) -> Answer<Resource<Rows>> {
        given!(self.may_lease());
        let parameters = given!(bytes_of(parameters));
        let rows = self.transaction(&this)?.within(millis(timeout)).stream(&statement, &parameters).await;
        self.lend_lease(given!(rows.map_err(refusal))).map(Ok)
    }

    async fn copy_in(&mut self, this: Resource<Handle>, statement: String) -> Answer<Resource<CopyWriter>> {
        given!(self.may_lease());
        let copy = given!(self.transaction(&this)?.copy_in(&statement).await.map_err(refusal));
        self.lend_lease(Some(copy)).map(Ok)
    }

    async fn copy_out(&mut self, this: Resource<Handle>, statement: String) -> Answer<Resource<CopyReader>> {
        given!(self.may_lease());
        let copy = given!(self.transaction(&this)?.copy_out(&statement).await.map_err(refusal));
        self.lend_lease(copy).map(Ok)
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
        self.end_lease::<Transaction, _>(&this).map(drop)
    }
}
