//! COPY in both directions, driven by the guest.

use fasterapi_bindings::postgres::client::{self, CopyReader, CopyWriter};
use fasterapi_postgres::{CopyIn, CopyOut};
use wasmtime::component::Resource;

use super::{
    Answer, PostgresCtxView,
    client::{bytes_of, given},
    context::usage,
    error::refusal,
};

/// None: it has ended.
type HeldIn = Option<CopyIn>;

impl client::HostCopyWriter for PostgresCtxView<'_> {
    async fn write(&mut self, this: Resource<CopyWriter>, data: String) -> Answer<()> {
        let data = given!(bytes_of(data));
        let Some(copy) = self.held_mut::<HeldIn, _>(&this)? else { return Ok(Err(ended())) };
        Ok(copy.write(data.into()).await.map_err(refusal))
    }

    async fn finish(&mut self, this: Resource<CopyWriter>) -> Answer<u64> {
        let Some(copy) = self.held_mut::<HeldIn, _>(&this)?.take() else { return Ok(Err(ended())) };
        Ok(copy.finish().await.map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<CopyWriter>) -> wasmtime::Result<()> {
        self.end_lease::<HeldIn, _>(&this).map(drop)
    }
}

fn ended() -> fasterapi_bindings::postgres::types::Error {
    usage("the copy has ended".into())
}

impl client::HostCopyReader for PostgresCtxView<'_> {
    async fn next(&mut self, this: Resource<CopyReader>) -> Answer<Option<Vec<u8>>> {
        let data = self.held_mut::<CopyOut, _>(&this)?.next().await;
        Ok(data.map(|data| data.map(Vec::from)).map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<CopyReader>) -> wasmtime::Result<()> {
        self.end_lease::<CopyOut, _>(&this).map(drop)
    }
}
