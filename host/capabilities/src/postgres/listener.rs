//! Listeners: what `NOTIFY` sends, heard by the guest.

use std::time::Duration;

use fasterapi_bindings::postgres::{client, types};
use fasterapi_postgres::{Event, Listener};
use tokio::{sync::Mutex, time::timeout};
use wasmtime::component::{Accessor, Resource};

use super::{Answer, Postgres, PostgresCtxView, client::given, concurrent::waiting, error::own_error};

/// Waits beside which the guest goes on take turns.
pub(super) type Listening = Mutex<Listener>;

impl client::HostListener for PostgresCtxView<'_> {
    async fn wait(&mut self, this: Resource<client::Listener>, limit: u32) -> Answer<Option<types::Event>> {
        Ok(next_within(given!(self.sole::<Listening, _>(&this)?).get_mut(), limit).await)
    }

    async fn drop(&mut self, this: Resource<client::Listener>) -> wasmtime::Result<()> {
        self.give_back::<Listening, _>(&this)
    }
}

impl<T: Send> client::HostListenerWithStore<T> for Postgres {
    async fn wait_async(
        accessor: &Accessor<T, Self>,
        this: Resource<client::Listener>,
        ticket: u32,
        limit: u32,
    ) -> Answer<Option<types::Event>> {
        let listener = accessor.with(|mut access| access.get().shared::<Listening, _>(&this))?;
        waiting(accessor, ticket, async { next_within(&mut *listener.lock().await, limit).await }).await
    }
}

/// The next event within so many milliseconds. None: there was none.
async fn next_within(listener: &mut Listener, limit: u32) -> Result<Option<types::Event>, types::Error> {
    let Ok(event) = timeout(Duration::from_millis(limit.into()), listener.next()).await else {
        return Ok(None);
    };
    match event {
        Some(Event::Notification { channel, payload, process_id }) => {
            let (channel, payload) = (channel.as_ref().into(), payload.as_ref().into());
            Ok(Some(types::Event::Notification(types::Notification { channel, payload, process_id })))
        }
        Some(_) => Ok(Some(types::Event::Gap)),
        None => Err(own_error(types::ErrorKind::Connection, "the database is being closed".into())),
    }
}
