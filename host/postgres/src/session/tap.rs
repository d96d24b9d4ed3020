//! The tap on a session's wire.
//!
//! The driver does not tell the transaction status that the server states in every ReadyForQuery message, nor
//! whether a request reached the wire, and it buffers a message of any size. So the socket that it reads from is
//! this one: it follows the frames of the server's messages (type byte, length, body; PostgreSQL documentation,
//! "Message Formats"), notes the status and the count of bytes written, and breaks the connection before a message
//! over the limit is read, or when the driver makes more requests of its own than it was allowed. It changes nothing but
//! one type byte at the start of a COPY ([`Outgoing`]).
//!
//! A server that hangs up says why, but the driver ends with its first failure to write, before it has read that. So what
//! cannot be written any more goes nowhere, and the end is found where the last words are: by reading.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outgoing::{FLUSH, Outgoing};
use crate::statistics::Moved;

/// Where the server says its session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Not in a transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that failed.
    Failed,
}

/// What the tap has seen, shared with the session.
#[derive(Debug)]
pub(crate) struct Seen {
    status: AtomicU8,
    written: AtomicU64,
    received: AtomicU64,
    rows: AtomicU64,
    parsed: AtomicU64,
    errors: AtomicU64,
    settings: AtomicU64,
    oversized: AtomicBool,
    /// A COPY from the client is about to start.
    copies: AtomicBool,
    /// How many more requests may be answered.
    answers: AtomicU32,
}

impl Seen {
    /// Allows so many answered requests from now on; none: any number.
    pub(crate) fn allow(&self, answers: Option<u32>) {
        self.answers.store(answers.unwrap_or(u32::MAX), Ordering::Release);
    }

    /// Announces a COPY from the client: the next request.
    pub(crate) fn expect_copy(&self) {
        self.copies.store(true, Ordering::Release);
    }

    /// Whether the connection was broken because there were more.
    pub(crate) fn overran(&self) -> bool {
        self.answers.load(Ordering::Acquire) == 0
    }

    /// Notes that a request is answered. False: it was one too many.
    fn ready(&self, status: u8) -> bool {
        self.status.store(status, Ordering::Release);
        match self.answers.load(Ordering::Acquire) {
            u32::MAX => true,
            left => {
                self.answers.store(left.saturating_sub(1), Ordering::Release);
                left > 1
            }
        }
    }

    /// The status in the last ReadyForQuery that arrived.
    pub(crate) fn status(&self) -> Status {
        match self.status.load(Ordering::Acquire) {
            b'I' => Status::Idle,
            b'T' => Status::Open,
            _ => Status::Failed,
        }
    }

    /// How many bytes have gone to the server.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// How many errors the server has sent.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Acquire)
    }

    /// What has moved so far.
    pub(crate) fn moved(&self) -> Moved {
        Moved {
            sent: self.written(),
            received: self.received.load(Ordering::Acquire),
            rows: self.rows.load(Ordering::Acquire),
            parsed: self.parsed.load(Ordering::Acquire),
            errors: self.errors(),
        }
    }

    /// How often the server has said that a setting has another value: those that it reports, such as the time zone, the
    /// search path (since version 18) and who the session is for.
    pub(crate) fn settings(&self) -> u64 {
        self.settings.load(Ordering::Acquire)
    }

    /// Whether the connection was broken because a message was over the limit.
    pub(crate) fn oversized(&self) -> bool {
        self.oversized.load(Ordering::Acquire)
    }
}

/// A socket with the tap on it.
#[derive(Debug)]
pub(crate) struct Tap<S> {
    socket: S,
    seen: Arc<Seen>,
    frames: Frames,
    outgoing: Outgoing,
}

impl<S> Tap<S> {
    /// Taps `socket`. A message of more than `limit` bytes breaks the connection.
    pub(crate) fn new(socket: S, limit: usize) -> Self {
        let seen = Seen {
            status: AtomicU8::new(b'I'),
            written: AtomicU64::new(0),
            received: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            parsed: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            settings: AtomicU64::new(0),
            oversized: AtomicBool::new(false),
            copies: AtomicBool::new(false),
            answers: AtomicU32::new(u32::MAX),
        };
        let frames = Frames { limit, ..Frames::default() };
        Self { socket, seen: Arc::new(seen), frames, outgoing: Outgoing::default() }
    }

    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }
}

/// The position in the stream of messages.
#[derive(Debug, Default)]
struct Frames {
    limit: usize,
    header: [u8; 5],
    /// Bytes of the header that are there.
    filled: usize,
    /// Bytes of the body still to come.
    body: usize,
    errors: u64,
    rows: u64,
    parsed: u64,
    settings: u64,
}

const PARSE_COMPLETE: u8 = b'1';
const DATA_ROW: u8 = b'D';
const READY_FOR_QUERY: u8 = b'Z';
const ERROR: u8 = b'E';
const PARAMETER_STATUS: u8 = b'S';

/// Why the connection is to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// A message is over the limit.
    Size,
    /// More requests were answered than allowed.
    Answers,
}

impl Frames {
    /// Follows `bytes`, telling `ready` each transaction status that goes by, and counting what else does.
    fn follow(&mut self, mut bytes: &[u8], mut ready: impl FnMut(u8) -> bool) -> Result<(), Break> {
        while let Some(&next) = bytes.first() {
            if self.body > 0 {
                if self.header[0] == READY_FOR_QUERY && !ready(next) {
                    return Err(Break::Answers);
                }
                let skipped = self.body.min(bytes.len());
                self.body -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(slot) = self.header.get_mut(self.filled) {
                *slot = next;
            }
            self.filled += 1;
            bytes = bytes.get(1..).unwrap_or_default();
            if self.filled == self.header.len() {
                let [kind, a, b, c, d] = self.header;
                self.filled = 0;
                self.errors += u64::from(kind == ERROR);
                self.rows += u64::from(kind == DATA_ROW);
                self.parsed += u64::from(kind == PARSE_COMPLETE);
                self.settings += u64::from(kind == PARAMETER_STATUS);
                // The length counts itself, not the type byte.
                self.body = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
                if self.body > self.limit {
                    return Err(Break::Size);
                }
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, seen, frames, .. } = self.get_mut();
        let before = buf.filled().len();
        std::task::ready!(Pin::new(socket).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        let reported = frames.settings;
        let followed = frames.follow(new, |status| seen.ready(status));
        seen.errors.store(frames.errors, Ordering::Release);
        seen.rows.store(frames.rows, Ordering::Release);
        seen.parsed.store(frames.parsed, Ordering::Release);
        seen.received.fetch_add(new.len() as u64, Ordering::AcqRel);
        if frames.settings != reported {
            seen.settings.store(frames.settings, Ordering::Release);
        }
        Poll::Ready(followed.map_err(|broken| {
            seen.oversized.fetch_or(broken == Break::Size, Ordering::AcqRel);
            io::ErrorKind::FileTooLarge.into()
        }))
    }
}

fn has_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, seen, outgoing, .. } = self.get_mut();
        if seen.copies.load(Ordering::Acquire) && seen.copies.swap(false, Ordering::AcqRel) {
            outgoing.hold();
        }
        let found = outgoing.find(buf);
        let part = match found {
            Some(0) => FLUSH,
            Some(at) => buf.get(..at).unwrap_or_default(),
            None => buf,
        };
        let count = match std::task::ready!(Pin::new(socket).poll_write(cx, part)) {
            Err(error) if has_hung_up(&error) => return Poll::Ready(Ok(buf.len())),
            written => written?,
        };
        if found == Some(0) && count > 0 {
            outgoing.changed();
        }
        outgoing.walk(buf.get(..count).unwrap_or_default());
        seen.written.fetch_add(count as u64, Ordering::AcqRel);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match std::task::ready!(Pin::new(&mut self.get_mut().socket).poll_flush(cx)) {
            Err(error) if has_hung_up(&error) => Poll::Ready(Ok(())),
            flushed => Poll::Ready(flushed),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b"S\0\0\0\x08a\0b\0C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05TE\0\0\0\x04Z\0\0\0\x05EN\0\0\0\x04Z\0\0\0\x05I";

    #[test]
    fn statuses_are_seen_however_the_stream_is_cut() {
        for size in 1..=STREAM.len() {
            let mut frames = Frames { limit: 100, ..Frames::default() };
            let mut seen = Vec::new();
            let mut push = |status| {
                seen.push(status);
                true
            };
            assert!(STREAM.chunks(size).all(|chunk| frames.follow(chunk, &mut push).is_ok()));
            let counts = (frames.errors, frames.settings);
            assert_eq!((seen.as_slice(), counts), (b"TEI".as_slice(), (1, 1)), "cut every {size}");
        }
    }

    #[test]
    fn a_message_over_the_limit_ends_it_at_its_header() {
        let mut frames = Frames { limit: 8, ..Frames::default() };
        assert_eq!(frames.follow(b"C\0\0\0\x0d", |_| true), Err(Break::Size));
    }

    #[test]
    fn one_answer_too_many_ends_it() {
        let tap = Tap::new((), 100);
        tap.seen().allow(Some(3));
        let mut frames = Frames { limit: 100, ..Frames::default() };
        assert_eq!(frames.follow(STREAM, |status| tap.seen().ready(status)), Err(Break::Answers));
        assert!(tap.seen().overran());
        tap.seen().allow(None);
        assert!((0..1000).all(|_| tap.seen().ready(b'I')) && !tap.seen().overran());
    }
}
