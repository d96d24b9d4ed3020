//! What hyper's HTTP/2 lacks: a client that opens streams and then withholds flow control from one of them
//! holds that response, and the instance behind it, for as long as it likes. No byte is stuck in the socket, so
//! the socket's deadline does not see it.
//!
//! hyper spawns each stream as a task of ours ([`Streams`]). A poll of it that ends in `Pending` waits either
//! for the gateway, which says so ([`note`], [`waiting`]), or for the client. The latter has a deadline.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::deadline::Deadline;

/// What the gateway's side of a stream did last in the poll that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Gave,
    Waits,
}

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(Last::Nothing) };
}

/// Notes the outcome of polling the gateway's side.
pub(crate) fn note<T>(polled: &Poll<T>) {
    LAST.set(if polled.is_pending() { Last::Waits } else { Last::Gave });
}

/// Awaits a gateway's future, noting that it is the gateway that is waited for.
pub(crate) async fn waiting<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    std::future::poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        note(&polled);
        polled
    })
    .await
}

/// Spawns the streams of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    pub(crate) patience: Duration,
    /// The connection counts as open until its last stream is gone.
    pub(crate) permit: Arc<OwnedSemaphorePermit>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (patience, permit) = (self.patience, Arc::clone(&self.permit));
        tokio::spawn(Stream {
            stream,
            patience,
            stalled: None,
            deadline: Deadline::default(),
            _permit: permit,
        });
    }
}

pin_project! {
    struct Stream<F> {
        #[pin]
        stream: F,
        patience: Duration,
        // Since when the client has taken nothing.
        stalled: Option<Instant>,
        deadline: Deadline,
        _permit: Arc<OwnedSemaphorePermit>,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        LAST.set(Last::Nothing);
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let since = match LAST.get() {
            Last::Waits => {
                *this.stalled = None;
                return Poll::Pending;
            }
            Last::Gave => *this.stalled.insert(Instant::now()),
            Last::Nothing => *this.stalled.get_or_insert_with(Instant::now),
        };
        ready!(this.deadline.poll_at(cx, since + *this.patience));
        // Dropping the stream resets it.
        tracing::debug!("client takes no bytes of a stream; reset it");
        Poll::Ready(())
    }
}
