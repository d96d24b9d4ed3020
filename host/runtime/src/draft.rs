//! Components without an app, for development: `fasterapi:app/draft` in `wit/world.wit`. The app is imported into each
//! instance, from files that the host lends.

use std::time::Duration;

use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, Instance, TypedFunc},
};

use crate::{
    error::{LoadError, MakeError},
    image::first_line,
    state::GuestState,
};

const INTERFACE: &str = "fasterapi:app/draft@0.1.0";

type Function = TypedFunc<(String,), (Result<String, String>,)>;

/// Where a component has the import, and what it is to import.
pub(crate) struct Draft {
    export: ComponentExportIndex,
    config: String,
}

impl Draft {
    pub(crate) fn of(component: &Component, config: String) -> Result<Self, LoadError> {
        let interface = component.get_export_index(None, INTERFACE);
        let export = interface.and_then(|interface| component.get_export_index(Some(&interface), "load"));
        let export = export.ok_or_else(|| LoadError::MissingExport(format!("{INTERFACE} load")))?;
        Ok(Self { export, config })
    }

    /// Imports the app into an instance, and gives the report of it; what is wrong with the app is an
    /// [`MakeError::Import`].
    pub(crate) async fn load(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        limit: Duration,
    ) -> Result<String, MakeError> {
        let trapped = |trap: wasmtime::Error| MakeError::Instantiate(first_line(&trap));
        let function: Function = instance.get_typed_func(&mut *store, self.export).map_err(trapped)?;
        let called = tokio::time::timeout(limit, function.call_async(store, (self.config.clone(),))).await;
        let (loaded,) = called.map_err(|_| MakeError::StartupTimeout(limit))?.map_err(trapped)?;
        loaded.map_err(MakeError::Import)
    }
}
