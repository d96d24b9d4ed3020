//! The listeners of a database, and what the keeper of its connection must know of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_postgres::Notification;
use tokio_util::sync::CancellationToken;

use super::{Event, keeper, queue::Queue};
use crate::{PgError, pool::Pool};

/// Most listeners of one database.
const MAX_LISTENERS: usize = 256;

/// The listeners of one database.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

pub(super) struct Shared {
    state: Mutex<State>,
    /// Listeners came or went: wakes the keeper.
    pub(super) changed: Notify,
    pub(super) pool: Pool,
    /// The database is being closed.
    pub(super) closed: CancellationToken,
}

#[derive(Default)]
struct State {
    next: u64,
    listeners: HashMap<u64, Listening>,
    /// Who listens where.
    channels: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// Whether there is a keeper.
    kept: bool,
}

struct Listening {
    channels: Vec<Arc<str>>,
    queue: Queue,
    heard: Arc<Notify>,
    /// Told when the server listens for it. None: it was.
    tuned: Option<oneshot::Sender<Result<(), PgError>>>,
    /// The connection was lost since it was last told anything.
    missed: bool,
}

impl Hub {
    /// Without listeners there is no connection.
    pub(crate) fn new(pool: Pool, closed: CancellationToken) -> Self {
        let (state, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { state, changed, pool, closed }))
    }

    /// Takes a place among the listeners; the keeper starts if there is none.
    pub(super) fn seat(&self, channels: &[String]) -> Result<Seat, PgError> {
        let shared = &self.0;
        if shared.closed.is_cancelled() {
            return Err(keeper::closing());
        }
        let mut state = shared.state.lock();
        if state.listeners.len() >= MAX_LISTENERS {
            return Err(PgError::usage(format!("the database has {MAX_LISTENERS} listeners already")));
        }
        let (heard, (tell, told)) = (Arc::new(Notify::new()), oneshot::channel());
        let id = state.add(channels, Arc::clone(&heard), tell);
        if !std::mem::replace(&mut state.kept, true) {
            tokio::spawn(keeper::keep(Arc::clone(shared)));
        }
        drop(state);
        shared.changed.notify_one();
        Ok(Seat { id, shared: Arc::clone(shared), heard, told: Mutex::new(Some(told)) })
    }
}

impl State {
    fn add(
        &mut self,
        names: &[String],
        heard: Arc<Notify>,
        tell: oneshot::Sender<Result<(), PgError>>,
    ) -> u64 {
        self.next += 1;
        let id = self.next;
        let mut channels: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in &channels {
            self.channels.entry(Arc::clone(channel)).or_default().insert(id);
        }
        let listening =
            Listening { channels, queue: Queue::default(), heard, tuned: Some(tell), missed: false };
        self.listeners.insert(id, listening);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Listening> {
        let listening = self.listeners.remove(&id)?;
        for channel in &listening.channels {
            if let Some(ids) = self.channels.get_mut(channel) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.channels.remove(channel);
                }
            }
        }
        Some(listening)
    }
}

impl Shared {
    /// The channels that somebody listens on.
    pub(super) fn wanted(&self) -> BTreeSet<Arc<str>> {
        self.state.lock().channels.keys().cloned().collect()
    }

    /// Ends the keeper's duty if nobody listens any more. The next listener starts another.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        let idle = state.listeners.is_empty();
        state.kept &= !idle;
        idle
    }

    /// A notification has come.
    pub(super) fn deliver(&self, notification: &Notification) {
        let mut state = self.state.lock();
        let State { listeners, channels, .. } = &mut *state;
        let Some((channel, ids)) = channels.get_key_value(notification.channel()) else { return };
        let event = Event::Notification {
            channel: Arc::clone(channel),
            payload: notification.payload().into(),
            process_id: notification.process_id(),
        };
        for id in ids {
            if let Some(listening) = listeners.get_mut(id) {
                listening.queue.push(event.clone());
                listening.heard.notify_one();
            }
        }
    }

    /// The server listens on these channels now.
    pub(super) fn tuned(&self, channels: &BTreeSet<Arc<str>>) {
        let mut state = self.state.lock();
        let served = |listening: &&mut Listening| listening.channels.iter().all(|c| channels.contains(c));
        for listening in state.listeners.values_mut().filter(served) {
            let missed = std::mem::take(&mut listening.missed);
            if let Some(tell) = listening.tuned.take() {
                // Gone, if it does not wait any more.
                let _ = tell.send(Ok(()));
            } else if missed {
                listening.queue.push(Event::Gap);
                listening.heard.notify_one();
            }
        }
    }

    /// There is no connection.
    pub(super) fn lost(&self, error: &PgError) {
        self.state.lock().listeners.values_mut().for_each(|listening| listening.missed = true);
        self.refuse(error);
    }

    /// Those who wait for their first tuning wait in vain.
    pub(super) fn refuse(&self, error: &PgError) {
        let mut state = self.state.lock();
        for listening in state.listeners.values_mut() {
            if let Some(tell) = listening.tuned.take() {
                let _ = tell.send(Err(error.clone()));
            }
        }
    }
}

/// A place among the listeners; dropping it leaves.
pub(super) struct Seat {
    id: u64,
    shared: Arc<Shared>,
    heard: Arc<Notify>,
    told: Mutex<Option<oneshot::Receiver<Result<(), PgError>>>>,
}

impl Seat {
    /// Waits until the server listens.
    pub(super) async fn tuned(&self) -> Result<(), PgError> {
        let told = self.told.lock().take();
        let Some(told) = told else { return Ok(()) };
        told.await.unwrap_or_else(|_| Err(keeper::closing()))
    }

    /// The next event.
    pub(super) async fn next(&self) -> Option<Event> {
        loop {
            let heard = self.heard.notified();
            if let Some(event) = self.pop() {
                return Some(event);
            }
            self.shared.closed.run_until_cancelled(heard).await?;
        }
    }

    fn pop(&self) -> Option<Event> {
        self.shared.state.lock().listeners.get_mut(&self.id)?.queue.pop()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.shared.state.lock().remove(self.id));
        self.shared.changed.notify_one();
    }
}
