//! A component, checked against what the host lends: ready to make instances of.

use std::sync::Arc;

use fasterapi_bindings::{Guest, GuestIndices, WebsocketGuest, WebsocketGuestIndices};
use fasterapi_capabilities::postgres::{self, PostgresGrants};
use wasmtime::{
    Store,
    component::{Component, InstancePre, Linker},
};

use crate::{
    compiled::{Compiled, Export},
    engine::Engine,
    error::{LoadError, MakeError},
    image::first_line,
    instance::Instance,
    limits::InstanceLimits,
    state::GuestState,
};

/// What the instances of a revision may use.
#[derive(Clone, Debug)]
pub struct Grants {
    /// The app's name, for its log records.
    pub app: Arc<str>,
    /// Environment variables, as `(name, value)`.
    pub environment: Vec<(String, String)>,
    /// Databases by alias.
    pub postgres: Arc<PostgresGrants>,
}

/// What an instance is called through.
pub(crate) struct Exports {
    pub(crate) guest: Guest,
    pub(crate) compiled: Option<Compiled>,
    pub(crate) websockets: Option<WebsocketGuest>,
}

/// The interface that guests with WebSockets export.
const WEBSOCKETS: &str = "fasterapi:websocket/endpoint@0.1.0";

/// A linked component with the grants and limits of its instances.
pub struct Template {
    engine: Engine,
    linked: InstancePre<GuestState>,
    exports: GuestIndices,
    compiled: Option<Export>,
    websockets: Option<WebsocketGuestIndices>,
    grants: Grants,
    limits: Arc<InstanceLimits>,
}

impl Template {
    /// Links `component` to the capabilities.
    ///
    /// # Errors
    /// When it imports what no capability provides, or lacks an export that the host calls.
    pub fn new(
        engine: &Engine,
        component: &Component,
        grants: Grants,
        limits: InstanceLimits,
    ) -> Result<Self, LoadError> {
        let linker = linker(engine).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let linked = linker.instantiate_pre(component).map_err(|error| unknown_import(&error))?;
        let exports =
            GuestIndices::new(&linked).map_err(|error| LoadError::MissingExport(first_line(&error)))?;
        let compiled = Export::of(component);
        let websockets =
            component.get_export_index(None, WEBSOCKETS).map(|_| WebsocketGuestIndices::new(&linked));
        let websockets =
            websockets.transpose().map_err(|error| LoadError::MissingExport(first_line(&error)))?;
        let (engine, limits) = (engine.clone(), Arc::new(limits));
        Ok(Self { engine, linked, exports, compiled, websockets, grants, limits })
    }

    /// Whether its instances serve WebSockets.
    #[must_use]
    pub const fn has_websockets(&self) -> bool {
        self.websockets.is_some()
    }

    /// The bounds of each instance.
    #[must_use]
    pub fn limits(&self) -> &InstanceLimits {
        &self.limits
    }

    /// A new instance, before its start-up hooks.
    ///
    /// # Errors
    /// When a limit or a trap keeps it from coming up.
    pub async fn instantiate(&self) -> Result<Instance, MakeError> {
        let mut store = Store::new(self.engine.wasmtime(), GuestState::new(&self.grants, &self.limits));
        store.limiter(GuestState::limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.instance(&mut store).await;
        let exports = instance.map_err(|error| MakeError::Instantiate(first_line(&error)))?;
        Ok(Instance::new(store, exports, Arc::clone(&self.limits)))
    }

    async fn instance(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Exports> {
        let instance = self.linked.instantiate_async(&mut *store).await?;
        let guest = self.exports.load(&mut *store, &instance)?;
        let compiled = self.compiled.map(|export| export.bind(store, &instance)).transpose()?;
        let websockets = self.websockets.as_ref().map(|exports| exports.load(&mut *store, &instance));
        Ok(Exports { guest, compiled, websockets: websockets.transpose()? })
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    postgres::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Finds the import's name in the linker's error, whose text is the only place that has it.
fn unknown_import(error: &wasmtime::Error) -> LoadError {
    let text = format!("{error:#}");
    let named = text.split('`').nth(1).map(str::to_owned);
    named.map_or(LoadError::Corrupt(first_line(error)), |import| LoadError::UnknownImport { import })
}
