//! The hubs of a revision, route by route.

use std::sync::Arc;

use fasterapi_edge::websocket::WebSocket;
use fasterapi_telemetry::spans;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::Instrument;

use super::{Answer, Opening, hub::Room};
use crate::{
    error::InvokeError,
    head::RequestHead,
    maker::WarmMaker,
    pool::{Checkout, CheckoutError, Pool},
};

/// Finds each WebSocket its instance.
pub struct Hubs {
    pool: Arc<Pool<WarmMaker>>,
    /// WebSockets of one instance at a time, and in its life.
    capacity: usize,
    in_all: u64,
    /// By the pool's index of their route, from `first` on.
    first: usize,
    routes: Vec<Mutex<Vec<Open>>>,
}

/// Why a WebSocket gets no answer from the app.
#[derive(Debug, thiserror::Error)]
pub enum HubsError {
    /// There is no instance for it.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// The instance gave none.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
}

/// A hub that is open, or was.
struct Open {
    room: Arc<Room>,
    arrivals: mpsc::UnboundedSender<Opening>,
}

impl Hubs {
    /// Hubs for the routes whose indices in `pool` are `first` and the `routes - 1` after it. Each has at most `capacity`
    /// WebSockets at a time and `in_all` in its life.
    #[must_use]
    pub fn new(
        pool: Arc<Pool<WarmMaker>>,
        first: usize,
        routes: usize,
        capacity: usize,
        in_all: u64,
    ) -> Self {
        let routes = (0..routes).map(|_| Mutex::default()).collect();
        Self { pool, capacity: capacity.max(1), in_all, first, routes }
    }

    /// Has the guest answer an opening handshake, and serve `socket` if it accepts. `name` is the route's for the log.
    ///
    /// # Errors
    /// When there is no instance, or it gives no answer. Dropped, the guest is told that its client has left.
    pub async fn open(
        &self,
        route: usize,
        name: &Arc<str>,
        number: u64,
        head: RequestHead,
        socket: WebSocket,
    ) -> Result<Answer, HubsError> {
        let (answer, answered) = oneshot::channel();
        let opening = Opening { number, head, socket, answer };
        self.enter(route, name, opening).await?;
        let gone = || InvokeError::Trapped("the instance ended without an answer".into());
        Ok(answered.await.unwrap_or_else(|_| Err(gone()))?)
    }

    /// One at a time for each route: those who come together must not have a hub made each.
    async fn enter(&self, route: usize, name: &Arc<str>, opening: Opening) -> Result<(), CheckoutError> {
        let hubs = route.checked_sub(self.first).and_then(|index| self.routes.get(index));
        let Some(hubs) = hubs else { return Err(CheckoutError::Closed) };
        let mut hubs = hubs.lock().await;
        hubs.retain(|hub| !hub.arrivals.is_closed());
        if let Some(hub) = hubs.iter().find(|hub| hub.room.enter()) {
            // It may have trapped just now: its clients are all told so, and this one is no other.
            let _ = hub.arrivals.send(opening);
            return Ok(());
        }
        let mut checkout = self.pool.checkout(route).await?;
        if checkout.is_fresh()
            && let Some(instance) = checkout.instance()
        {
            instance.bind(Arc::clone(name));
        }
        let room = Arc::new(Room::new(self.capacity, self.in_all));
        room.enter();
        let (arrivals, received) = mpsc::unbounded_channel();
        let _ = arrivals.send(opening);
        hubs.push(Open { room: Arc::clone(&room), arrivals });
        tokio::spawn(run(checkout, room, received).instrument(spans::websockets(name)));
        Ok(())
    }
}

fn run(
    mut checkout: Checkout<WarmMaker>,
    room: Arc<Room>,
    mut arrivals: mpsc::UnboundedReceiver<Opening>,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let Some(instance) = checkout.instance() else { return };
        let served = instance.serve_websockets(&room, &mut arrivals).await;
        room.retire();
        match served {
            Ok(true) => checkout.checkin(),
            Ok(false) => tracing::warn!("instance discarded: handlers of its WebSockets did not end"),
            Err(error) => tracing::error!("instance discarded, with its WebSockets: {error}"),
        }
    })
}
