//! Bodies across the boundary, with backpressure: what the other side does not take is not produced.
//!
//! *In*: a [`RequestBody`] feeds the guest's `stream<u8>`. When it fails (the client left, a limit), the guest must
//! not take the end of the stream for the end of the body: the failure is told to it by `disconnect` first, and only
//! then does the stream end.
//!
//! *Out*: the guest's stream fills a [`GuestBody`], one part at a time. It ends cleanly only when the guest said that
//! the body is whole ([`crate::frames`]); else it ends in [`Torn`], so that no client takes half a body for a whole one.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use wasmtime::{
    StoreContextMut,
    component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult},
};

use crate::{
    frames::{Frames, Step},
    guard::Progress,
};

/// The part of a request's body that a guest reads as a stream.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

const MAX_PART: usize = 256 * 1024;

/// Feeds a request's body to the guest.
pub(crate) struct Producer {
    body: RequestBody,
    failure: Option<Failure>,
}

/// How the producer tells that the body failed, and learns that the guest knows.
pub(crate) struct Failure {
    failed: Option<oneshot::Sender<()>>,
    known: oneshot::Receiver<()>,
}

/// The other end of a [`Failure`].
pub(crate) struct FailureWatch {
    /// Resolves when the body failed.
    pub failed: oneshot::Receiver<()>,
    /// To be sent once the guest knows.
    pub known: oneshot::Sender<()>,
}

impl Producer {
    pub(crate) fn new(body: RequestBody) -> (Self, FailureWatch) {
        let (failed_tx, failed) = oneshot::channel();
        let (known, known_rx) = oneshot::channel();
        let failure = Failure { failed: Some(failed_tx), known: known_rx };
        (Self { body, failure: Some(failure) }, FailureWatch { failed, known })
    }

    /// The next part, `None` at the end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(part) if !part.is_empty() => return Poll::Ready(Some(part)),
                    // Trailers have no place in ASGI; an empty frame says nothing.
                    _ => {}
                },
                None => return Poll::Ready(None),
                Some(Err(_)) => return self.poll_failure(cx),
            }
        }
    }

    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.body = RequestBody::default();
        let Some(failure) = &mut self.failure else { return Poll::Ready(None) };
        if let Some(failed) = failure.failed.take() {
            let _ = failed.send(());
        }
        Pin::new(&mut failure.known).poll(cx).map(|_| {
            self.failure = None;
            None
        })
    }

    fn is_failing(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.failed.is_none())
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
        let polled = if self.is_failing() { self.poll_failure(cx) } else { self.poll_part(cx) };
        produced(polled, &mut destination, finish)
    }
}

/// What a producer says of the next part of its stream; `None` is the end.
pub(crate) fn produced(
    polled: Poll<Option<Bytes>>,
    destination: &mut Destination<'_, u8, Bytes>,
    finish: bool,
) -> Poll<wasmtime::Result<StreamResult>> {
    match polled {
        Poll::Ready(Some(part)) => {
            destination.set_buffer(part);
            Poll::Ready(Ok(StreamResult::Completed))
        }
        Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
        Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
        Poll::Pending => Poll::Pending,
    }
}

/// Waits for room for one more item. `Err` is what a consumer says where there is none.
pub(crate) fn room<T: Send + 'static>(
    sender: &mut PollSender<T>,
    cx: &mut Context<'_>,
    finish: bool,
) -> Result<(), Poll<wasmtime::Result<StreamResult>>> {
    match sender.poll_reserve(cx) {
        Poll::Ready(Ok(())) => Ok(()),
        Poll::Ready(Err(_)) => Err(Poll::Ready(Ok(StreamResult::Dropped))),
        Poll::Pending if finish => Err(Poll::Ready(Ok(StreamResult::Cancelled))),
        Poll::Pending => Err(Poll::Pending),
    }
}

/// Takes a guest's response body, one part at a time.
pub(crate) struct Consumer {
    parts: PollSender<Bytes>,
    frames: Frames,
    whole: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

impl Consumer {
    /// Takes what it can of `offered`: how many bytes, and the part among them to pass on.
    fn take(&mut self, offered: &[u8]) -> (usize, Option<Bytes>) {
        let mut taken = 0;
        while let Some(rest) = offered.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.frames.step(rest, MAX_PART) {
                Step::Length(length) => taken += length,
                Step::Body(length) => {
                    let part = rest.get(..length).map(Bytes::copy_from_slice);
                    return (taken + length, part);
                }
                Step::End => return (offered.len(), None),
            }
        }
        (taken, None)
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
        if let Err(said) = room(&mut self.parts, cx, finish) {
            return said;
        }
        let mut source = source.as_direct(store);
        let (taken, part) = self.take(source.remaining());
        source.mark_read(taken);
        self.progress.part_sent();
        if self.frames.is_whole() {
            self.whole.store(true, Ordering::Release);
        }
        let sent = part.is_none_or(|part| self.parts.send_item(part).is_ok());
        Poll::Ready(Ok(if sent { StreamResult::Completed } else { StreamResult::Dropped }))
    }
}

/// The guest broke off its response.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the app broke off its response")]
pub struct Torn;

/// The streamed part of a guest's response. Dropping it before its end tells the guest that its client has left.
#[derive(Debug)]
pub struct GuestBody {
    parts: mpsc::Receiver<Bytes>,
    whole: Arc<AtomicBool>,
    /// Sent at the end; dropped unsent, the client left before it.
    taken: Option<oneshot::Sender<()>>,
}

impl GuestBody {
    /// A body, what fills it, and what tells how its client took it: `Ok` to its end, `Err` it left.
    pub(crate) fn new(progress: Arc<Progress>) -> (Self, Consumer, oneshot::Receiver<()>) {
        let (sender, parts) = mpsc::channel(1);
        let (taken, outcome) = oneshot::channel();
        let whole = Arc::new(AtomicBool::new(false));
        let frames = Frames::default();
        let consumer =
            Consumer { parts: PollSender::new(sender), frames, whole: Arc::clone(&whole), progress };
        (Self { parts, whole, taken: Some(taken) }, consumer, outcome)
    }

    fn end(&mut self) -> Option<Result<Frame<Bytes>, Torn>> {
        if let Some(taken) = self.taken.take() {
            let _ = taken.send(());
        }
        (!self.whole.load(Ordering::Acquire)).then_some(Err(Torn))
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Torn;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Torn>>> {
        let part = ready!(self.parts.poll_recv(cx));
        Poll::Ready(part.map_or_else(|| self.end(), |part| Some(Ok(Frame::data(part)))))
    }
}
