//! Compresses a body while it streams.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use bytes::Bytes;
use http_body::Frame;
use tokio::io::AsyncWrite;

use super::Coding;
use crate::BoxError;
use crate::body::Measured;

/// The most input compressed in one poll: some milliseconds of work at worst, then others have their turn.
const TURN: usize = 256 * 1024;

/// The largest window, as a power of two: it bounds an encoder's memory to well under a megabyte.
const MAX_WINDOW: u32 = 18;

/// A body, compressed.
pub(crate) struct Compressor {
    body: Measured,
    encoder: Box<dyn Encoder>,
    /// Given by the body, not yet to the encoder.
    input: Bytes,
    /// Whether the encoder holds input that it has not put out.
    unflushed: bool,
    state: State,
}

enum State {
    Body,
    /// The encoder is to be closed; then come the body's trailers, if it had any.
    Closing(Option<Frame<Bytes>>),
    Done,
}

/// An encoder that writes into memory, so it never waits.
trait Encoder: AsyncWrite + Unpin + Send {
    fn output(&mut self) -> &mut Vec<u8>;
}

macro_rules! encoders {
    ($($encoder:ident)*) => {
        $(impl Encoder for $encoder<Vec<u8>> {
            fn output(&mut self) -> &mut Vec<u8> { self.get_mut() }
        })*
    };
}

encoders!(ZstdEncoder BrotliEncoder GzipEncoder);

/// Levels that cost about as much as the work of sending: what a proxy would choose for responses on the fly.
fn encoder(coding: Coding, length: Option<u64>) -> Box<dyn Encoder> {
    let window =
        length.map_or(MAX_WINDOW, |length| (u64::BITS - length.leading_zeros()).clamp(10, MAX_WINDOW));
    match coding {
        Coding::Zstd => {
            let parameters = [CParameter::window_log(window)];
            Box::new(ZstdEncoder::with_quality_and_params(Vec::new(), Level::Precise(3), &parameters))
        }
        Coding::Brotli => {
            let window = i32::try_from(window).unwrap_or_default();
            let parameters = EncoderParams::default().quality(Level::Precise(4)).window_size(window);
            Box::new(BrotliEncoder::with_params(Vec::new(), parameters))
        }
        Coding::Gzip => Box::new(GzipEncoder::with_quality(Vec::new(), Level::Precise(5))),
    }
}

impl Compressor {
    /// `length` is the body's, where known: a short body needs a small window only.
    pub(crate) fn new(body: Measured, coding: Coding, length: Option<u64>) -> Self {
        let encoder = encoder(coding, length);
        Self { body, encoder, input: Bytes::new(), unflushed: false, state: State::Body }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut turn = TURN;
        loop {
            if let State::Done = self.state {
                return Poll::Ready(None);
            }
            if turn == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.input.is_empty() {
                turn = turn.saturating_sub(self.input.len());
                ready!(self.encode(cx))?;
            } else if let State::Closing(_) = self.state {
                return self.poll_close(cx);
            } else {
                match self.body.poll_frame(cx) {
                    Poll::Ready(next) => self.take(next.transpose()?),
                    Poll::Pending if self.unflushed => ready!(self.flush(cx))?,
                    Poll::Pending => return Poll::Pending,
                }
            }
            // More of the same frame may come out when the encoder is closed in this very poll.
            if self.input.is_empty() && matches!(self.state, State::Closing(_)) {
                continue;
            }
            if let Some(output) = self.output() {
                return Poll::Ready(Some(Ok(output)));
            }
        }
    }

    fn take(&mut self, frame: Option<Frame<Bytes>>) {
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => {
                self.input = data;
                if self.body.is_end_stream() {
                    self.state = State::Closing(None);
                }
            }
            Some(Err(trailers)) => self.state = State::Closing(Some(trailers)),
            None => self.state = State::Closing(None),
        }
    }

    fn encode(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = true;
        while !self.input.is_empty() {
            let taken = ready!(Pin::new(&mut *self.encoder).poll_write(cx, &self.input))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let _ = self.input.split_to(taken);
        }
        Poll::Ready(Ok(()))
    }

    /// The body has nothing more for now: what it gave must not wait for it.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = false;
        Pin::new(&mut *self.encoder).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(Pin::new(&mut *self.encoder).poll_shutdown(cx))?;
        let output = self.output();
        let State::Closing(trailers) = &mut self.state else { return Poll::Ready(output.map(Ok)) };
        match (output, trailers.take()) {
            (Some(output), Some(trailers)) => {
                // Closing a closed encoder does nothing; the next poll brings the trailers.
                self.state = State::Closing(Some(trailers));
                Poll::Ready(Some(Ok(output)))
            }
            (output, trailers) => {
                self.state = State::Done;
                Poll::Ready(output.or(trailers).map(Ok))
            }
        }
    }

    fn output(&mut self) -> Option<Frame<Bytes>> {
        let output = std::mem::take(self.encoder.output());
        (!output.is_empty()).then(|| Frame::data(output.into()))
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Compressor").field("body", &self.body).finish_non_exhaustive()
    }
}
