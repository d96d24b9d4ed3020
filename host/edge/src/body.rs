//! The body of a response on its way to hyper.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use crate::compress::Compressor;
use crate::service::Asked;
use crate::state::InFlight;
use crate::{BoxError, ResponseBody, h2};

/// The largest piece given to hyper at once. What hyper holds for one response is a few of these, and a client
/// that takes one in time is not a stalled one.
const PIECE: usize = 32 * 1024;

/// What hyper sends.
#[derive(Debug)]
pub(crate) struct EdgeBody {
    payload: Payload,
    in_flight: InFlight,
    /// Whether the client learns of the body's end by the connection's (HTTP/1.0).
    close_delimited: bool,
    /// The connection's flushes when hyper was last given something.
    flushed: u64,
    /// The payload failed; told to hyper when it has flushed what it was given.
    failure: Option<BoxError>,
}

#[derive(Debug)]
enum Payload {
    Full(Bytes),
    Measured(Measured),
    Compressed(Box<Compressor>),
}

impl EdgeBody {
    pub(crate) fn empty(in_flight: InFlight) -> Self {
        Self::full(Bytes::new(), in_flight)
    }

    pub(crate) fn full(bytes: Bytes, in_flight: InFlight) -> Self {
        Self::new(Payload::Full(bytes), in_flight)
    }

    pub(crate) fn measured(body: Measured, asked: &Asked, in_flight: InFlight) -> Self {
        Self::streamed(Payload::Measured(body), asked, in_flight)
    }

    pub(crate) fn compressed(body: Compressor, asked: &Asked, in_flight: InFlight) -> Self {
        Self::streamed(Payload::Compressed(Box::new(body)), asked, in_flight)
    }

    fn new(payload: Payload, in_flight: InFlight) -> Self {
        // hyper gets the head now.
        let flushed = in_flight.connection.flushes.count();
        Self { payload, in_flight, close_delimited: false, flushed, failure: None }
    }

    fn streamed(payload: Payload, asked: &Asked, in_flight: InFlight) -> Self {
        let mut body = Self::new(payload, in_flight);
        if asked.version < Version::HTTP_11 && body.size_hint().exact().is_none() {
            body.close_delimited = true;
            body.in_flight.connection.set_close_delimited(true);
        }
        body
    }

    /// The body has come to its proper end: the connection's end may now say so.
    fn ended(&mut self) {
        if std::mem::take(&mut self.close_delimited) {
            self.in_flight.connection.set_close_delimited(false);
        }
    }

    fn poll_payload(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.failure.is_some() {
            return self.poll_failure(cx);
        }
        let polled = match &mut self.payload {
            Payload::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Payload::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Payload::Measured(body) => body.poll_frame(cx),
            Payload::Compressed(body) => body.poll_frame(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.flushed = self.in_flight.connection.flushes.count();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "response body failed");
                self.failure = Some(error);
                self.poll_failure(cx)
            }
            other => other,
        }
    }

    /// See [`crate::flushes`].
    fn poll_failure(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.in_flight.connection.flushes.poll_after(cx, self.flushed));
        Poll::Ready(self.failure.take().map(Err))
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let polled = this.poll_payload(cx);
        h2::note(&polled);
        match &polled {
            Poll::Ready(None) => this.ended(),
            Poll::Ready(Some(Ok(_))) if this.is_end_stream() => this.ended(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            _ if self.failure.is_some() => false,
            Payload::Full(bytes) => bytes.is_empty(),
            Payload::Measured(body) => body.is_end_stream(),
            Payload::Compressed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.payload {
            Payload::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Payload::Measured(body) => body.size_hint(),
            Payload::Compressed(_) => SizeHint::default(),
        }
    }
}

/// A gateway's body in pieces of at most [`PIECE`] bytes, held to the length its head declares.
#[derive(Debug)]
pub(crate) struct Measured {
    inner: ResponseBody,
    /// The rest of a chunk that was too large.
    rest: Bytes,
    /// What is still to come, where the length is known.
    left: Option<u64>,
}

/// The body is not as long as its head says.
#[derive(Debug, thiserror::Error)]
enum WrongLength {
    #[error("response body is longer than its content-length")]
    Longer,
    #[error("response body ended {left} bytes before its content-length")]
    Shorter { left: u64 },
}

impl Measured {
    pub(crate) fn new(inner: ResponseBody, length: Option<u64>) -> Self {
        Self { inner, rest: Bytes::new(), left: length }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)).transpose()? {
                None => return Poll::Ready(self.end().map(Err)),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.count(&data).map(|()| self.rest = data)?,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        // With bytes still missing, the end has to be polled for: it is an error.
        self.rest.is_empty() && self.left.is_none_or(|left| left == 0) && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }

    fn count(&mut self, data: &Bytes) -> Result<(), WrongLength> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(data.len() as u64).ok_or(WrongLength::Longer)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Option<BoxError> {
        // Once: after the error the body is at its end.
        let left = self.left.take().filter(|left| *left > 0)?;
        Some(WrongLength::Shorter { left }.into())
    }
}
