//! An instance: one store, one component instance, one request at a time.
//!
//! `invoke` is a future that lives until the guest's work for the request is done: head, body, and what follows the
//! response. The head leaves through a channel as soon as it is there. Whoever holds the future drives the guest; if
//! the future is dropped, the instance is gone.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Instant};

use bytes::Bytes;
use fasterapi_bindings::{Guest, Response};
use futures::future::{Either, select};
use tokio::sync::{mpsc, oneshot};
use wasmtime::{
    Store,
    component::{Accessor, StreamReader},
};

use crate::{
    body::{FailureWatch, GuestBody, Producer},
    error::{InvokeError, MakeError},
    guard::{Progress, guard},
    head::{self, Call, Head, Reply},
    image::first_line,
    limits::InstanceLimits,
    rest::Rest,
    state::GuestState,
    template::Exports,
    websocket::{Activity, Hub, Opening, Room, within_budget},
};

/// A warm component instance.
pub struct Instance {
    store: Store<GuestState>,
    exports: Exports,
    limits: Arc<InstanceLimits>,
    served: u64,
    used: Instant,
}

/// Where a call's head goes.
pub type Exchange = oneshot::Sender<Result<Reply, InvokeError>>;

impl Instance {
    pub(crate) fn new(store: Store<GuestState>, exports: Exports, limits: Arc<InstanceLimits>) -> Self {
        Self { store, exports, limits, served: 0, used: Instant::now() }
    }

    /// Runs the start-up hooks.
    ///
    /// # Errors
    /// When they raise, trap, or take too long. The instance must then be discarded.
    pub async fn start(&mut self) -> Result<(), MakeError> {
        let limit = self.limits.startup;
        let (store, guest) = (&mut self.store, &self.exports.guest);
        let started = async {
            store
                .run_concurrent(async |accessor| {
                    let started = guest.fasterapi_app_lifecycle().call_startup(accessor).await?;
                    wasmtime::error::Ok(started)
                })
                .await?
        };
        match tokio::time::timeout(limit, started).await {
            Err(_) => Err(MakeError::StartupTimeout(limit)),
            Ok(Err(trap)) => Err(MakeError::Instantiate(first_line(&trap))),
            Ok(Ok(Err(traceback))) => Err(MakeError::Startup(traceback)),
            Ok(Ok(Ok(()))) => Ok(()),
        }
    }

    /// Runs the shut-down hooks, within the start-up's limit, and drops the instance. What goes wrong is logged.
    pub async fn stop(mut self) {
        let (store, guest) = (&mut self.store, &self.exports.guest);
        let stopped = async {
            store
                .run_concurrent(async |accessor| {
                    guest.fasterapi_app_lifecycle().call_shutdown(accessor).await
                })
                .await?
        };
        match tokio::time::timeout(self.limits.startup, stopped).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(traceback))) => tracing::warn!("the app's shut-down failed\n{traceback}"),
            Ok(Err(trap)) => tracing::warn!("the app's shut-down trapped: {}", first_line(&trap)),
            Err(_) => tracing::warn!("the app's shut-down took longer than {:?}", self.limits.startup),
        }
    }

    /// How many requests it has answered.
    #[must_use]
    pub const fn served(&self) -> u64 {
        self.served
    }

    /// Whether it holds a transaction, a stream, a copy or a listener open. Between two requests it must not.
    #[must_use]
    pub fn holds_leases(&self) -> bool {
        self.store.data().holds_leases()
    }

    /// When it last ended a request, or was made.
    #[must_use]
    pub const fn used(&self) -> Instant {
        self.used
    }

    /// Names the route that the instance serves from here on: for its log records, and for what it is granted there.
    pub fn bind(&mut self, route: Arc<str>) {
        self.store.data_mut().bind(route);
    }

    /// Answers one request. The head, or why there is none, goes to `exchange`; the future ends when the guest's
    /// work for the request is done.
    ///
    /// # Errors
    /// When the instance must not serve again. The error went to `exchange` too, if the head had not.
    pub async fn invoke(&mut self, mut call: Call, exchange: Exchange) -> Result<(), InvokeError> {
        self.served += 1;
        self.store.data_mut().begin_request(call.number, &call.head.parts.headers);
        // The next tick may be a microsecond away: a short call must not yield in its middle, or the pool would find
        // its instance busy and make another.
        self.store.set_epoch_deadline(2);
        let progress = Progress::new();
        let mut exchange = Some(exchange);
        let ended = {
            let Exports { guest, compiled, .. } = &self.exports;
            let conversation = Conversation { number: self.served, guest, progress: &progress };
            let (store, compiled) = (&mut self.store, compiled.as_ref());
            let run = async {
                if let (Some(compiled), Some(planned)) = (compiled, call.planned.take()) {
                    let head = if planned.head { call.head.pack() } else { String::new() };
                    let number = conversation.number;
                    let answer = compiled.call(store, number, planned, head, &call.body).await?;
                    if let Some((head, body)) = answer {
                        let reply = complete(store.data_mut(), head, body)?;
                        if let Some(exchange) = exchange.take() {
                            let _ = exchange.send(Ok(reply));
                        }
                        return Ok(());
                    }
                }
                let talked = store
                    .run_concurrent(async |accessor| conversation.hold(accessor, call, &mut exchange).await);
                // In a box, for it is large: a request whose plan answers would carry its room about in vain.
                Box::pin(talked).await.flatten().map_err(|trap| InvokeError::Trapped(first_line(&trap)))
            };
            guard(run, Arc::clone(&progress), &self.limits).await
        };
        self.used = Instant::now();
        self.store.data_mut().end_request();
        let ended = ended.flatten();
        ended.inspect_err(|error| {
            if let Some(exchange) = exchange.take() {
                let _ = exchange.send(Err(error.clone()));
            }
        })
    }
}

impl Instance {
    /// Serves the WebSockets that arrive, side by side, until none is left. Whether it may serve again.
    ///
    /// # Errors
    /// When the guest traps or overruns a limit: all its WebSockets end with it.
    pub(crate) async fn serve_websockets(
        &mut self,
        room: &Room,
        arrivals: &mut mpsc::UnboundedReceiver<Opening>,
    ) -> Result<bool, InvokeError> {
        let Some(guest) = &self.exports.websockets else {
            return Err(InvokeError::Malformed("the component has no WebSockets"));
        };
        self.store.data_mut().begin_websockets(room.capacity());
        self.store.set_epoch_deadline(2);
        let activity = Arc::new(Activity::default());
        let hub = Hub { guest, limits: &self.limits, room, activity: Arc::clone(&activity) };
        let served = self.store.run_concurrent(async |accessor| hub.serve(accessor, arrivals).await);
        let served = within_budget(served, &activity, self.limits.cpu).await?;
        self.used = Instant::now();
        self.served += room.served();
        self.store.data_mut().end_request();
        served.flatten().map_err(|trap| InvokeError::Trapped(first_line(&trap)))
    }
}

/// One request's talk with the guest, inside the store's event loop.
struct Conversation<'a> {
    number: u64,
    guest: &'a Guest,
    progress: &'a Arc<Progress>,
}

type Talk<T> = wasmtime::Result<T>;

impl Conversation<'_> {
    async fn hold(
        &self,
        accessor: &Accessor<GuestState>,
        call: Call,
        exchange: &mut Option<Exchange>,
    ) -> Talk<()> {
        let (more, watch) = self.feed(accessor, call.more)?;
        let http = self.guest.fasterapi_app_http();
        let answer = http.call_handle(accessor, self.number, call.head.pack(), call.body.into(), more);
        let talk = async {
            let answer = self.until_left(accessor, answer, exchange).await?;
            let taken = self.respond(accessor, answer, exchange)?;
            let done = poll_fn(|cx| accessor.poll_no_interesting_tasks(cx));
            match taken {
                None => done.await,
                Some(taken) => self.until_cut(accessor, done, taken).await?,
            }
            Talk::Ok(())
        };
        match watch {
            None => talk.await,
            Some(watch) => self.with_failures(accessor, talk, watch).await,
        }
    }

    fn feed(
        &self,
        accessor: &Accessor<GuestState>,
        more: Option<crate::RequestBody>,
    ) -> Talk<(Option<StreamReader<u8>>, Option<FailureWatch>)> {
        let Some(body) = more else { return Ok((None, None)) };
        let (producer, watch) = Producer::new(body);
        let reader = accessor.with(|access| StreamReader::new(access, producer))?;
        Ok((Some(reader), Some(watch)))
    }

    /// Waits for the guest's answer; tells the guest when nobody waits for it any more.
    async fn until_left<T>(
        &self,
        accessor: &Accessor<GuestState>,
        answer: impl Future<Output = Talk<T>>,
        exchange: &mut Option<Exchange>,
    ) -> Talk<T> {
        let Some(waiting) = exchange else { return answer.await };
        match select(pin!(answer), pin!(waiting.closed())).await {
            Either::Left((answered, _)) => answered,
            Either::Right(((), answer)) => {
                self.disconnect(accessor).await?;
                answer.await
            }
        }
    }

    /// Drives `done`; tells the guest when the client leaves before the stream's end.
    async fn until_cut(
        &self,
        accessor: &Accessor<GuestState>,
        done: impl Future<Output = ()>,
        taken: oneshot::Receiver<()>,
    ) -> Talk<()> {
        match select(pin!(done), taken).await {
            Either::Left(((), _)) => {}
            Either::Right((Ok(()), done)) => {
                self.progress.responded();
                done.await;
            }
            Either::Right((Err(_), done)) => {
                self.disconnect(accessor).await?;
                done.await;
            }
        }
        Ok(())
    }

    /// Drives `talk`; when the request's body fails, tells the guest before its stream ends.
    async fn with_failures(
        &self,
        accessor: &Accessor<GuestState>,
        talk: impl Future<Output = Talk<()>>,
        watch: FailureWatch,
    ) -> Talk<()> {
        match select(pin!(talk), watch.failed).await {
            Either::Left((ended, _)) => ended,
            Either::Right((Ok(()), talk)) => {
                self.disconnect(accessor).await?;
                let _ = watch.known.send(());
                talk.await
            }
            Either::Right((Err(_), talk)) => talk.await,
        }
    }

    async fn disconnect(&self, accessor: &Accessor<GuestState>) -> Talk<()> {
        self.progress.abandoned();
        self.guest.fasterapi_app_http().call_disconnect(accessor, self.number).await
    }

    /// Passes the answer on. For a streamed body, comes back with how its client takes it.
    fn respond(
        &self,
        accessor: &Accessor<GuestState>,
        answer: Result<Response, String>,
        exchange: &mut Option<Exchange>,
    ) -> Talk<Option<oneshot::Receiver<()>>> {
        let Some(exchange) = exchange.take() else { return Ok(None) };
        let parsed = answer.map_err(InvokeError::Raised).and_then(parse);
        let (reply, taken) = match parsed {
            Err(error) => (Err(error), None),
            Ok((head, body, None)) => {
                (accessor.with(|mut access| complete(access.data_mut(), head, body)), None)
            }
            Ok((head, first, Some(rest))) => {
                let (body, consumer, taken) = GuestBody::new(Arc::clone(self.progress));
                accessor.with(|access| rest.pipe(access, consumer))?;
                (Ok(Reply { rest: Some(Rest::Guest(body)), ..head.with(first) }), Some(taken))
            }
        };
        if taken.is_some() {
            self.progress.streaming()
        } else {
            self.progress.responded()
        }
        let _ = exchange.send(reply);
        Ok(taken)
    }
}

fn parse(response: Response) -> Result<(Head, Bytes, Option<StreamReader<u8>>), InvokeError> {
    let head = head::unpack(response.head)?;
    let body = head::latin1(response.body)?;
    if head.lent.is_some() && response.rest.is_some() {
        return Err(InvokeError::Malformed("a streamed body beside a lent one"));
    }
    Ok((head, body, response.rest))
}

/// The reply of a head and all that the guest itself says of the body.
fn complete(state: &mut GuestState, head: Head, body: Bytes) -> Result<Reply, InvokeError> {
    let Some(number) = head.lent else { return Ok(head.with(body)) };
    if !body.is_empty() {
        return Err(InvokeError::Malformed("a body beside a lent one"));
    }
    let lent = state.take_lent(number).ok_or(InvokeError::Malformed("a body that was not lent"))?;
    Ok(Reply { rest: Some(Rest::Lent(lent)), ..head.with(body) })
}
