//! The rows of a statement under way.

use fasterapi_bindings::postgres::client::{self, Rows};
use fasterapi_postgres::RowStream;
use tokio::sync::Mutex;
use wasmtime::component::{Accessor, Resource};

use super::{
    Answer, Postgres, PostgresCtxView, client::given, concurrent::asking, error::refusal, held::Place,
};

/// Calls beside which the guest goes on take turns.
struct Flowing {
    columns: Box<[u8]>,
    rows: Mutex<RowStream>,
}

impl PostgresCtxView<'_> {
    pub(super) fn lend_rows_of(&mut self, place: Place, rows: RowStream) -> wasmtime::Result<Resource<Rows>> {
        self.lend(place, Flowing { columns: rows.columns().into(), rows: Mutex::new(rows) })
    }

    /// A handle on what a result did not hold.
    pub(super) fn lend_rest(&mut self, rest: Option<RowStream>) -> Answer<Option<Resource<Rows>>> {
        let Some(rest) = rest else { return Ok(Ok(None)) };
        let place = given!(self.place());
        self.lend_rows_of(place, rest).map(|rest| Ok(Some(rest)))
    }
}

impl client::HostRows for PostgresCtxView<'_> {
    async fn columns(&mut self, this: Resource<Rows>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.shared::<Flowing, _>(&this)?.columns.to_vec())
    }

    async fn next(&mut self, this: Resource<Rows>) -> Answer<Option<Vec<u8>>> {
        let flowing = given!(self.sole::<Flowing, _>(&this)?);
        Ok(flowing.rows.get_mut().next().await.map_err(refusal))
    }

    async fn drop(&mut self, this: Resource<Rows>) -> wasmtime::Result<()> {
        self.give_back::<Flowing, _>(&this)
    }
}

impl<T: Send> client::HostRowsWithStore<T> for Postgres {
    async fn next_async(
        accessor: &Accessor<T, Self>,
        this: Resource<Rows>,
        ticket: u32,
    ) -> Answer<Option<Vec<u8>>> {
        let flowing = accessor.with(|mut access| access.get().shared::<Flowing, _>(&this))?;
        asking(accessor, ticket, async { flowing.rows.lock().await.next().await }).await
    }
}
