//! What a guest holds open: counted, and shared with its calls under way.

use std::sync::Arc;

use fasterapi_bindings::postgres::types::Error;
use wasmtime::component::Resource;

use super::{Answer, PostgresCtxView, context::usage};

/// The places of what one instance may hold open. Each is free again when what has it is dropped.
#[derive(Default)]
pub(super) struct Places(Arc<()>);

pub(super) struct Place(#[expect(dead_code, reason = "it counts while it lives")] Arc<()>);

impl Places {
    pub(super) fn take(&self) -> Place {
        Place(Arc::clone(&self.0))
    }

    pub(super) fn taken(&self) -> usize {
        Arc::strong_count(&self.0).saturating_sub(1)
    }
}

/// What the table keeps for a guest's handle.
struct Held<T> {
    value: Arc<T>,
    #[expect(dead_code, reason = "it is free with the rest")]
    place: Place,
}

impl PostgresCtxView<'_> {
    /// Gives the guest a handle on something.
    pub(super) fn lend<T: Send + Sync + 'static, H: 'static>(
        &mut self,
        place: Place,
        value: T,
    ) -> wasmtime::Result<Resource<H>> {
        let handle = self.table.push(Held { value: Arc::new(value), place })?;
        Ok(Resource::new_own(handle.rep()))
    }

    /// What a handle means, for a call beside which the guest goes on.
    pub(super) fn shared<T: Send + Sync + 'static, H: 'static>(
        &self,
        handle: &Resource<H>,
    ) -> wasmtime::Result<Arc<T>> {
        let held: &Held<T> = self.table.get(&Resource::new_borrow(handle.rep()))?;
        Ok(Arc::clone(&held.value))
    }

    /// The same, for a call that holds all of the guest: refused while another of its calls is under way, for which it
    /// would wait in vain.
    pub(super) fn sole<T: Send + Sync + 'static, H: 'static>(
        &mut self,
        handle: &Resource<H>,
    ) -> Answer<&mut T> {
        let held: &mut Held<T> = self.table.get_mut(&Resource::new_borrow(handle.rep()))?;
        Ok(Arc::get_mut(&mut held.value).ok_or_else(busy))
    }

    pub(super) fn give_back<T: Send + Sync + 'static, H: 'static>(
        &mut self,
        handle: &Resource<H>,
    ) -> wasmtime::Result<()> {
        self.table.delete::<Held<T>>(Resource::new_own(handle.rep()))?;
        Ok(())
    }
}

fn busy() -> Error {
    usage("another call on it is under way: wait for that, or make this one with `-async` too".into())
}
