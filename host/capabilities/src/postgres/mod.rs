//! `fasterapi:postgres`: the databases granted to a guest, by alias.
//!
//! The pools, the protocol and all waiting are the postgres crate's; here its calls are lent to a guest, and its
//! errors become the guest's. A call that the host drops (a cancelled request, a dead instance) cancels its statement;
//! a transaction that goes with its instance is rolled back, a COPY is aborted.
#![allow(
    clippy::result_large_err,
    reason = "the guest's error is a record of many optional fields, and rare"
)]

mod client;
mod concurrent;
mod context;
mod copy;
mod error;
mod grants;
mod held;
mod lent;
mod listener;
mod rows;
mod transaction;

use fasterapi_bindings::postgres::{
    client as wit,
    types::{self, Error},
};
use wasmtime::component::{HasData, Linker, ResourceTable};

pub use self::{
    context::PostgresCtx,
    grants::{PostgresGrants, Terms, Variable, VariableError},
    lent::LentBody,
};

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
    wit::add_to_linker::<T, Postgres>(linker, T::postgres)
}

/// What a call gives: a trap, or the guest's result.
type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl types::Host for PostgresCtxView<'_> {}
