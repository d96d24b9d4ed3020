//! COPY in both directions, driven by the guest.

use bytes::Bytes;
use fasterapi_bindings::postgres::client::{self, CopyReader, CopyWriter};
use fasterapi_postgres::{CopyIn, CopyOut};
use tokio::sync::Mutex;
use wasmtime::component::{Accessor, Resource};

use super::{
    Answer, Postgres, PostgresCtxView,
    client::{bytes_of, given},
    concurrent::{asking, waiting},
    context::usage,
    error::refusal,
};

/// None: it has ended. Calls beside which the guest goes on take turns.
pub(super) type Writing = Mutex<Option<CopyIn>>;

/// The same of the other direction.
pub(super) type Reading = Mutex<CopyOut>;

impl client::HostCopyWriter for PostgresCtxView<'_> {
    async fn write(&mut self, this: Resource<CopyWriter>, data: String) -> Answer<()> {
        let data = given!(bytes_of(data));
        Ok(write(given!(self.sole::<Writing, _>(&this)?).get_mut(), data.into()).await)
    }

    async fn finish(&mut self, this: Resource<CopyWriter>) -> Answer<u64> {
        Ok(finish(given!(self.sole::<Writing, _>(&this)?).get_mut()).await)
    }

    async fn drop(&mut self, this: Resource<CopyWriter>) -> wasmtime::Result<()> {
        self.give_back::<Writing, _>(&this)
    }
}

impl<T: Send> client::HostCopyWriterWithStore<T> for Postgres {
    async fn write_async(
        accessor: &Accessor<T, Self>,
        this: Resource<CopyWriter>,
        ticket: u32,
        data: String,
    ) -> Answer<()> {
        let data = given!(bytes_of(data)).into();
        let copy = accessor.with(|mut access| access.get().shared::<Writing, _>(&this))?;
        waiting(accessor, ticket, async { write(&mut *copy.lock().await, data).await }).await
    }

    async fn finish_async(
        accessor: &Accessor<T, Self>,
        this: Resource<CopyWriter>,
        ticket: u32,
    ) -> Answer<u64> {
        let copy = accessor.with(|mut access| access.get().shared::<Writing, _>(&this))?;
        waiting(accessor, ticket, async { finish(&mut *copy.lock().await).await }).await
    }
}

async fn write(copy: &mut Option<CopyIn>, data: Bytes) -> Result<(), client::Error> {
    copy.as_mut().ok_or_else(ended)?.write(data).await.map_err(refusal)
}

async fn finish(copy: &mut Option<CopyIn>) -> Result<u64, client::Error> {
    copy.take().ok_or_else(ended)?.finish().await.map_err(refusal)
}

fn ended() -> client::Error {
    usage("the copy has ended".into())
}

impl client::HostCopyReader for PostgresCtxView<'_> {
    async fn next(&mut self, this: Resource<CopyReader>) -> Answer<Option<Vec<u8>>> {
        let data = given!(self.sole::<Reading, _>(&this)?).get_mut().next().await;
        Ok(data.map(|data| data.map(Vec::from)).map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<CopyReader>) -> wasmtime::Result<()> {
        self.give_back::<Reading, _>(&this)
    }
}

impl<T: Send> client::HostCopyReaderWithStore<T> for Postgres {
    async fn next_async(
        accessor: &Accessor<T, Self>,
        this: Resource<CopyReader>,
        ticket: u32,
    ) -> Answer<Option<Vec<u8>>> {
        let copy = accessor.with(|mut access| access.get().shared::<Reading, _>(&this))?;
        let data = given!(asking(accessor, ticket, async { copy.lock().await.next().await }).await?);
        Ok(Ok(data.map(Vec::from)))
    }
}
