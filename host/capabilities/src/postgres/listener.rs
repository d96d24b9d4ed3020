//! Listeners: what `NOTIFY` sends, heard by the guest.

use std::{sync::Arc, time::Duration};

use fasterapi_bindings::postgres::{client, types};
use fasterapi_postgres::{Event, Listener};
use tokio::{sync::Mutex, time::timeout};
use wasmtime::component::{Accessor, Resource};

use super::{Answer, Postgres, PostgresCtxView, concurrent::waiting, error::own_error};

/// A listener that a call may wait on while the guest goes on. Waits take turns.
#[derive(Clone)]
pub(super) struct SharedListener(Arc<Mutex<Listener>>);

impl SharedListener {
    pub(super) fn new(listener: Listener) -> Self {
        Self(Arc::new(Mutex::new(listener)))
    }

    async fn next(&self) -> Result<types::Event, types::Error> {
        match self.0.lock().await.next().await {
            Some(Event::Notification { channel, payload, process_id }) => {
                let (channel, payload) = (channel.as_ref().into(), payload.as_ref().into());
                Ok(types::Event::Notification(types::Notification { channel, payload, process_id }))
            }
            Some(_) => Ok(types::Event::Gap),
            None => Err(own_error(types::ErrorKind::Connection, "the database is being closed".into())),
        }
    }
}

impl client::HostListener for PostgresCtxView<'_> {
    async fn wait(&mut self, this: Resource<client::Listener>, limit: u32) -> Answer<Option<types::Event>> {
        let listener = self.held::<SharedListener, _>(&this)?;
        Ok(timeout(Duration::from_millis(limit.into()), listener.next()).await.ok().transpose())
    }

    async fn drop(&mut self, this: Resource<client::Listener>) -> wasmtime::Result<()> {
        self.end_lease::<SharedListener, _>(&this).map(drop)
    }
}

impl<T: Send> client::HostListenerWithStore<T> for Postgres {
    async fn next(
        accessor: &Accessor<T, Self>,
        this: Resource<client::Listener>,
        ticket: u32,
    ) -> Answer<types::Event> {
        let listener = accessor.with(|mut access| access.get().held::<SharedListener, _>(&this).cloned())?;
        waiting(accessor, ticket, listener.next()).await
    }
}
