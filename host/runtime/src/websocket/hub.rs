//! A hub: one instance that serves WebSockets side by side, for as long as any is open.
//!
//! Its two bounds are those that an instance has: memory, by the store, and time to compute. A hub has no request with an end,
//! so its CPU budget is refilled whenever a message passes, and by a tenth of the time that goes by: a handler that sleeps and looks
//! may do so forever, one that only computes is ended. An instance that traps or overruns takes all its WebSockets with it; a handler
//! that does not end when its client has left keeps others out, until the hub is empty but for such.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use fasterapi_bindings::{WebsocketAnswer, WebsocketGuest};
use fasterapi_edge::websocket::{Sent, WebSocket};
use futures::{
    StreamExt,
    future::{Either, OptionFuture, select},
    stream::FuturesUnordered,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use wasmtime::component::{Accessor, StreamReader};

use super::{
    Answer, Opening,
    flows::{Consumer, Producer},
};
use crate::{
    error::InvokeError,
    head::{latin1, unpack_opening},
    limits::InstanceLimits,
    state::GuestState,
};

/// What part of the time that goes by a hub may compute without a message passing.
const SHARE: u32 = 10;

/// Who is in a hub, or on the way: no hub ends while somebody is about to come in.
#[derive(Debug)]
pub(crate) struct Room {
    inside: AtomicUsize,
    /// How many came in, in all, and how many may.
    entered: AtomicU64,
    in_all: AtomicU64,
    capacity: usize,
}

/// Stands for a count of those inside: nobody comes in any more.
const CLOSED: usize = usize::MAX;

impl Room {
    pub(super) fn new(capacity: usize, in_all: u64) -> Self {
        let (inside, entered, in_all) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(in_all));
        Self { inside, entered, in_all, capacity }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many came in.
    pub(crate) fn served(&self) -> u64 {
        self.entered.load(Ordering::Acquire)
    }

    /// Takes a place, if there is one. Called by one at a time.
    pub(super) fn enter(&self) -> bool {
        if self.served() >= self.in_all.load(Ordering::Acquire) {
            return false;
        }
        let one_more = |inside| (inside < self.capacity).then(|| inside + 1);
        let entered = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok();
        if entered {
            self.entered.fetch_add(1, Ordering::AcqRel);
        }
        entered
    }

    /// Gives a place back. Not after the room was closed.
    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }

    /// Closes the room for good if at most `stuck` are inside. Whether it is closed.
    fn close(&self, stuck: usize) -> bool {
        let closed = |inside| (inside <= stuck).then_some(CLOSED);
        self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, closed).is_ok()
    }

    /// Lets nobody in from now on.
    pub(super) fn retire(&self) {
        self.in_all.store(0, Ordering::Release);
    }
}

/// Counts the messages that pass.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicU64);

impl Activity {
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a hub works with, beside its store.
pub(crate) struct Hub<'a> {
    pub(crate) guest: &'a WebsocketGuest,
    pub(crate) limits: &'a InstanceLimits,
    pub(crate) room: &'a Room,
    pub(crate) activity: Arc<Activity>,
}

/// How a WebSocket ended.
enum Ended {
    Well,
    /// Its handler goes on though its client has long left.
    Stuck,
}

type Talk<T> = wasmtime::Result<T>;

impl Hub<'_> {
    /// Serves what arrives, inside the store's event loop, until nobody is left. Whether the instance may serve again.
    pub(crate) async fn serve(
        &self,
        accessor: &Accessor<GuestState>,
        arrivals: &mut mpsc::UnboundedReceiver<Opening>,
    ) -> Talk<bool> {
        let (mut open, mut connection, mut stuck) = (FuturesUnordered::new(), 0, 0);
        loop {
            tokio::select! {
                Some(opening) = arrivals.recv() => {
                    connection += 1;
                    open.push(self.converse(accessor, connection, opening));
                }
                Some(ended) = open.next(), if !open.is_empty() => {
                    match ended? {
                        Ended::Well => self.room.leave(),
                        Ended::Stuck => stuck += 1,
                    }
                    if self.room.close(stuck) {
                        break;
                    }
                }
            }
        }
        let idle = poll_fn(|cx| accessor.poll_no_interesting_tasks(cx));
        Ok(stuck == 0 && timeout(self.limits.background, idle).await.is_ok())
    }

    /// Serves one WebSocket, from its opening handshake until the guest has let go of it.
    async fn converse(
        &self,
        accessor: &Accessor<GuestState>,
        connection: u64,
        opening: Opening,
    ) -> Talk<Ended> {
        let Opening { number, head, socket, answer: exchange } = opening;
        if self.room.capacity() == 1 {
            accessor.with(|mut access| access.data_mut().begin_request(number, &head.parts.headers));
        }
        let WebSocket { incoming, outgoing } = socket;
        let (producer, unread) = Producer::new(incoming, Arc::clone(&self.activity));
        let reader = accessor.with(|access| StreamReader::new(access, producer))?;
        let endpoint = self.guest.fasterapi_websocket_endpoint();
        let mut call = pin!(endpoint.call_serve(accessor, connection, head.pack(), reader));
        let mut exchange = Some(exchange);
        let answered = match select(&mut call, pin!(self.impatience(&mut exchange))).await {
            Either::Left((answered, _)) => answered?,
            // Nobody waits for the answer any more; the guest reads in `incoming` that its client has left.
            Either::Right(((), _)) => match timeout(self.limits.background, call).await {
                Ok(answered) => answered?,
                Err(_) => return Ok(self.stuck(number)),
            },
        };
        let (answer, rest) = match answered.map_err(InvokeError::Raised).and_then(read) {
            Ok((answer, rest)) => (Ok(answer), rest),
            Err(error) => (Err(error), None),
        };
        let mut unwritten = None;
        if let Some(rest) = rest {
            let (consumer, dropped) = Consumer::new(outgoing.clone(), Arc::clone(&self.activity));
            accessor.with(|access| rest.pipe(access, consumer))?;
            unwritten = Some(dropped);
        }
        if let Some(exchange) = exchange {
            let _ = exchange.send(answer);
        }
        let over = pin!(async { (unread.await, OptionFuture::from(unwritten).await) });
        match select(over, pin!(self.patience(outgoing))).await {
            Either::Left(_) => Ok(Ended::Well),
            Either::Right(((), _)) => Ok(self.stuck(number)),
        }
    }

    /// Ends when nobody waits for the answer any more: the client left, or it takes too long, which it is told.
    async fn impatience(&self, exchange: &mut Option<oneshot::Sender<Result<Answer, InvokeError>>>) {
        let left = async {
            if let Some(waiting) = exchange {
                waiting.closed().await;
            }
        };
        let limit = self.limits.request;
        if timeout(limit, left).await.is_err()
            && let Some(exchange) = exchange.take()
        {
            let _ = exchange.send(Err(InvokeError::Deadline { phase: "to answer the handshake", limit }));
        }
    }

    /// Ends some time after the client's end has gone.
    async fn patience(&self, outgoing: mpsc::Sender<Sent>) {
        outgoing.closed().await;
        drop(outgoing);
        sleep(self.limits.background).await;
    }

    fn stuck(&self, number: u64) -> Ended {
        tracing::warn!(
            request = number,
            "a WebSocket's handler goes on {:?} after its client left; its instance takes no more",
            self.limits.background
        );
        self.room.retire();
        Ended::Stuck
    }
}

/// Runs a hub within its CPU budget.
pub(crate) async fn within_budget<T>(
    hub: impl Future<Output = T>,
    activity: &Activity,
    budget: Duration,
) -> Result<T, InvokeError> {
    let mut hub = pin!(hub);
    let (mut computed, mut seen, mut looked) = (Duration::ZERO, 0, Instant::now());
    poll_fn(|cx| {
        let started = Instant::now();
        if let Poll::Ready(value) = hub.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        let count = activity.count();
        let free = started.duration_since(looked) / SHARE;
        computed = match count == seen {
            true => computed.saturating_sub(free) + started.elapsed(),
            false => Duration::ZERO,
        };
        (seen, looked) = (count, started);
        if computed > budget { Poll::Ready(Err(InvokeError::CpuBudget(budget))) } else { Poll::Pending }
    })
    .await
}

/// The answer, and the stream that comes with it where it accepts.
fn read(answer: WebsocketAnswer) -> Result<(Answer, Option<StreamReader<u8>>), InvokeError> {
    let head = unpack_opening(answer.head)?;
    let body = latin1(answer.body)?;
    if head.lent.is_some() {
        return Err(InvokeError::Malformed("a lent body for a WebSocket"));
    }
    match (head.status, answer.outgoing) {
        (http::StatusCode::SWITCHING_PROTOCOLS, Some(stream)) => {
            Ok((Answer::Accepted(head.headers), Some(stream)))
        }
        (http::StatusCode::SWITCHING_PROTOCOLS, None) => {
            Err(InvokeError::Malformed("an accepted WebSocket without a stream"))
        }
        (_, Some(_)) => Err(InvokeError::Malformed("a refused WebSocket with a stream")),
        (_, None) => Ok((Answer::Refused(head.with(body)), None)),
    }
}
