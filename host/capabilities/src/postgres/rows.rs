//! The rows of a statement under way.

use fasterapi_bindings::postgres::client::{self, Rows};
use fasterapi_postgres::RowStream;
use wasmtime::component::Resource;

use super::{Answer, PostgresCtxView, error::refusal};

impl client::HostRows for PostgresCtxView<'_> {
    async fn columns(&mut self, this: Resource<Rows>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.held::<RowStream, _>(&this)?.columns().to_vec())
    }

    async fn next(&mut self, this: Resource<Rows>) -> Answer<Option<Vec<u8>>> {
        Ok(self.held_mut::<RowStream, _>(&this)?.next().await.map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<Rows>) -> wasmtime::Result<()> {
        self.end_lease::<RowStream, _>(&this).map(drop)
    }
}
