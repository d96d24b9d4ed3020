//! A component, checked against what the host lends: ready to make instances of.

use std::sync::Arc;

use fasterapi_bindings::{Guest, GuestIndices, WebsocketGuest, WebsocketGuestIndices};
use fasterapi_capabilities::postgres::{self, PostgresGrants};
use wasmtime::{
    Store,
    component::{self, Component, InstancePre, Linker},
};

use crate::{
    compiled::{Compiled, Export},
    draft::Draft,
    engine::Engine,
    error::{LoadError, MakeError},
    files::Files,
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
    /// The files that it may read.
    pub files: Files,
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
    draft: Option<Draft>,
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
        Ok(Self { engine, linked, exports, compiled, websockets, draft: None, grants, limits })
    }

    /// As [`new`](Self::new), for a component without an app: each instance imports the one that `config` names, the
    /// builder's words to the SDK, out of the files of its grants. For development.
    ///
    /// # Errors
    /// As `new`; also when the component has an app.
    pub fn draft(
        engine: &Engine,
        component: &Component,
        config: String,
        grants: Grants,
        limits: InstanceLimits,
    ) -> Result<Self, LoadError> {
        let draft = Draft::of(component, config)?;
        Ok(Self { draft: Some(draft), ..Self::new(engine, component, grants, limits)? })
    }

    /// What its instances may use.
    #[must_use]
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Imports a draft's app, and gives the SDK's report of it.
    ///
    /// # Errors
    /// [`MakeError::Import`] with the SDK's report when the app cannot be imported; as
    /// [`instantiate`](Self::instantiate).
    pub async fn describe(&self) -> Result<String, MakeError> {
        let mut store = self.store()?;
        let instance = self.linked.instantiate_async(&mut store).await.map_err(trapped)?;
        self.import(&mut store, &instance).await
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
        let mut store = self.store()?;
        let instance = self.linked.instantiate_async(&mut store).await.map_err(trapped)?;
        self.import(&mut store, &instance).await?;
        let exports = self.bind(&mut store, &instance).map_err(trapped)?;
        Ok(Instance::new(store, exports, Arc::clone(&self.limits)))
    }

    fn store(&self) -> Result<Store<GuestState>, MakeError> {
        let state = GuestState::new(&self.grants, &self.limits);
        let closed = |error| MakeError::Instantiate(format!("the app's files: {}", first_line(&error)));
        let mut store = Store::new(self.engine.wasmtime(), state.map_err(closed)?);
        store.limiter(GuestState::limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }

    /// Has a draft import its app. The report is empty where the app is in the component.
    async fn import(
        &self,
        store: &mut Store<GuestState>,
        instance: &component::Instance,
    ) -> Result<String, MakeError> {
        match &self.draft {
            Some(draft) => draft.load(store, instance, self.limits.startup).await,
            None => Ok(String::new()),
        }
    }

    fn bind(
        &self,
        store: &mut Store<GuestState>,
        instance: &component::Instance,
    ) -> wasmtime::Result<Exports> {
        let guest = self.exports.load(&mut *store, instance)?;
        let compiled = self.compiled.map(|export| export.bind(store, instance)).transpose()?;
        let websockets = self.websockets.as_ref().map(|exports| exports.load(&mut *store, instance));
        Ok(Exports { guest, compiled, websockets: websockets.transpose()? })
    }
}

fn trapped(error: wasmtime::Error) -> MakeError {
    MakeError::Instantiate(first_line(&error))
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
