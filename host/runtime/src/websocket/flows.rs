//! Messages across the boundary, with backpressure: a side that takes nothing is sent nothing.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fasterapi_edge::websocket::{Close, Received, Sent};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use wasmtime::{
    StoreContextMut,
    component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult},
};

use super::{
    frames::{Reader, pack},
    hub::Activity,
};
use crate::body::{produced, room};

/// The longest part of a message.
const MAX_PART: usize = 64 * 1024;

/// Feeds what the client sends to the guest's `incoming`. It never ends of itself: it is dropped when the guest drops the
/// stream.
pub(super) struct Producer {
    received: mpsc::Receiver<Received>,
    /// What follows what was given last.
    rest: Option<Bytes>,
    closed: bool,
    activity: Arc<Activity>,
    /// Dropped with the stream.
    _held: oneshot::Sender<()>,
}

impl Producer {
    /// A producer, and what resolves when the guest has dropped the stream.
    pub(super) fn new(
        received: mpsc::Receiver<Received>,
        activity: Arc<Activity>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (held, dropped) = oneshot::channel();
        (Self { received, rest: None, closed: false, activity, _held: held }, dropped)
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(rest);
        }
        if self.closed {
            // Woken when the guest drops the stream, or never.
            return Poll::Pending;
        }
        // Who drops the client's end without a word was cut.
        let received = ready!(self.received.poll_recv(cx));
        let received = received.unwrap_or(Received::Close(Close::of(Close::ABNORMAL)));
        self.closed = matches!(received, Received::Close(_));
        let (first, rest) = pack(received);
        self.rest = rest;
        self.activity.note();
        Poll::Ready(first)
    }
}

impl<D> StreamProducer<D> for Producer {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        produced(self.poll_bytes(cx).map(Some), &mut destination, finish)
    }
}

/// Takes what the guest writes to its `outgoing`. Frames that are none end it.
pub(super) struct Consumer {
    sent: PollSender<Sent>,
    reader: Reader,
    activity: Arc<Activity>,
    /// Dropped with the stream.
    _held: oneshot::Sender<()>,
}

impl Consumer {
    /// A consumer, and what resolves when the guest has dropped the stream, or nothing of it is taken any more.
    pub(super) fn new(sent: mpsc::Sender<Sent>, activity: Arc<Activity>) -> (Self, oneshot::Receiver<()>) {
        let (held, dropped) = oneshot::channel();
        (Self { sent: PollSender::new(sent), reader: Reader::default(), activity, _held: held }, dropped)
    }

    /// Takes of `offered` up to the end of what can be sent at once: how many bytes, and what to send.
    fn take(&mut self, offered: &[u8]) -> Result<(usize, Option<Sent>), crate::InvokeError> {
        let mut taken = 0;
        while let Some(rest) = offered.get(taken..).filter(|rest| !rest.is_empty()) {
            let (step, sent) = self.reader.step(rest, MAX_PART)?;
            taken += step;
            if sent.is_some() {
                return Ok((taken, sent));
            }
        }
        Ok((taken, None))
    }
}

impl<D> StreamConsumer<D> for Consumer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if let Err(said) = room(&mut self.sent, cx, finish) {
            return said;
        }
        let mut source = source.as_direct(store);
        let taken = self.take(source.remaining());
        self.activity.note();
        let (taken, sent) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!("WebSocket closed: {error}");
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
        };
        source.mark_read(taken);
        let on = sent.is_none_or(|sent| self.sent.send_item(sent).is_ok());
        Poll::Ready(Ok(if on { StreamResult::Completed } else { StreamResult::Dropped }))
    }
}
