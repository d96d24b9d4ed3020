//! The body of a request on its way to the gateway: bounded in size and in time.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::Limits;
use crate::deadline::Deadline;
use crate::problem::Refusal;

/// Why a request body ended before its end. The client is to blame for all of these.
///
/// Where one of `TooLarge`, `Timeout` and `Malformed` has happened before the gateway answered, the edge answers
/// in its place (413, 408, 400).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More than [`Limits::body_bytes`](crate::Limits::body_bytes).
    #[error("request body is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The client closed the connection, or reset the stream, before the body's end.
    #[error("client went away before the end of the request body")]
    ClientGone,
    /// No byte within [`Limits::body_idle`](crate::Limits::body_idle).
    #[error("no byte of the request body arrived in time")]
    Timeout,
    /// The chunked coding is broken.
    #[error("request body is malformed")]
    Malformed,
}

impl BodyError {
    /// What the client is told; nothing where nobody listens any more.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::TooLarge { .. } => Some(Refusal::BODY_TOO_LARGE),
            Self::Timeout => Some(Refusal::SLOW_BODY),
            Self::Malformed => Some(Refusal::BAD_BODY),
            Self::ClientGone => None,
        }
    }
}

/// The first error of a body, seen from beside it.
pub(crate) type Fault = Arc<OnceLock<BodyError>>;

/// The body of a request. Nothing is read from the client unless it is polled (and `100 Continue` is only sent
/// then), so what the gateway does not take, the client cannot send. After an error it is at its end.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    left: u64,
    limits: BodyLimits,
    /// Since when we have been waiting for the next byte.
    waiting: Option<Instant>,
    deadline: Deadline,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy)]
struct BodyLimits {
    bytes: u64,
    idle: std::time::Duration,
}

impl RequestBody {
    /// The body, and where its first error will be seen (none for an empty body).
    pub(crate) fn new(incoming: Incoming, limits: &Limits) -> (Self, Option<Fault>) {
        let fault = (!incoming.is_end_stream()).then(Fault::default);
        let limits = BodyLimits { bytes: limits.body_bytes, idle: limits.body_idle };
        let body = Self {
            incoming: Some(incoming),
            left: limits.bytes,
            limits,
            waiting: None,
            deadline: Deadline::default(),
            fault: fault.clone(),
        };
        (body, fault)
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        self.deadline.poll_at(cx, since + self.limits.idle).map(|()| BodyError::Timeout)
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        self.waiting = None;
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return Err(BodyError::TooLarge { limit: self.limits.bytes }),
        }
        Ok(frame)
    }

    /// Ends the body: hyper stops reading from the client once `incoming` is gone.
    fn fail(&mut self, error: BodyError) -> BodyError {
        self.incoming = None;
        if let Some(fault) = &self.fault {
            let _ = fault.set(error);
        }
        error
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let result = match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => this.take(frame),
            Poll::Ready(Some(Err(error))) => Err(classify(&error)),
            Poll::Pending => Err(ready!(this.wait(cx))),
        };
        Poll::Ready(Some(result.map_err(|error| this.fail(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The guard and hyper's decoder report a broken coding as an I/O error of these kinds; all else is a client
/// that stopped.
fn classify(error: &hyper::Error) -> BodyError {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), InvalidData | InvalidInput)
        {
            return BodyError::Malformed;
        }
        source = cause.source();
    }
    BodyError::ClientGone
}
