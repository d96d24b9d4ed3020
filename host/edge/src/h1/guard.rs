//! The reader that hyper's HTTP/1 connection reads through.
//!
//! Clean bytes go through unchanged, and without a copy where a head arrives in one read. A refused head is
//! replaced by a whole one with a method of our own ([`is_replacement`]), after which nothing more is read:
//! hyper then answers it in its turn, after the requests before it, writes the answer in full, and closes. The
//! service finds the refusal in the connection's state.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::framing::{Framing, Next, Scan};
use crate::deadline::Deadline;
use crate::problem::Refusal;
use crate::socket::Socket;
use crate::state::Connection;

const REPLACEMENT_METHOD: &str = "EDGE-REFUSED";
const REPLACEMENT: &[u8] = b"EDGE-REFUSED / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// Whether a request stands for a refused one. A client that uses the method itself has no refusal waiting for
/// it, so nothing can be forged.
pub(crate) fn is_replacement(method: &Method) -> bool {
    method.as_str() == REPLACEMENT_METHOD
}

/// Checks what hyper reads.
#[derive(Debug)]
pub(crate) struct Guard {
    socket: Socket,
    connection: Arc<Connection>,
    framing: Framing,
    /// Bytes read but not handed on. The first `cleared` may go, the others are the first part of a head.
    held: BytesMut,
    cleared: usize,
    end: Option<End>,
    /// When the first byte of an unfinished head came.
    head_began: Option<Instant>,
    deadline: Deadline,
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy)]
enum End {
    Refused,
    BrokenBody,
}

impl Guard {
    pub(crate) fn new(socket: Socket, connection: Arc<Connection>) -> Self {
        Self {
            socket,
            connection,
            framing: Framing::new(),
            held: BytesMut::new(),
            cleared: 0,
            end: None,
            head_began: None,
            deadline: Deadline::default(),
        }
    }

    /// The connection itself, and what was read of it but not handed on: its bytes are HTTP's no more.
    pub(crate) fn into_raw(self) -> (Socket, BytesMut) {
        (self.socket, self.held)
    }

    /// Reads into hyper's buffer, and takes back what is not clear.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let scan = self.framing.scan(fresh, &self.connection.config.limits);
        self.held.extend_from_slice(fresh.get(scan.cleared..).unwrap_or_default());
        buf.set_filled(before + scan.cleared);
        self.note(scan);
        Poll::Ready(Ok(()))
    }

    /// Reads more of the head that is held. `false` at the end of the stream.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.held.reserve(4096);
        if ready!(poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.held))? == 0 {
            return Poll::Ready(Ok(false));
        }
        let scan = self.framing.scan(&self.held, &self.connection.config.limits);
        self.cleared = scan.cleared;
        self.note(scan);
        Poll::Ready(Ok(true))
    }

    fn note(&mut self, mut scan: Scan) {
        let mut any_cleared = scan.cleared > 0;
        loop {
            match scan.next {
                Next::More => return self.expect_more(any_cleared),
                Next::Refused(refusal) => return self.refuse(refusal),
                Next::BrokenBody => {
                    self.held.truncate(self.cleared);
                    self.end = Some(End::BrokenBody);
                    return;
                }
                Next::Respelled { length, head } => scan = self.respell(length, &head),
            }
            any_cleared |= scan.cleared > 0;
        }
    }

    /// What is held beyond the cleared part is the first part of a head: of the same one as before where nothing was
    /// cleared.
    fn expect_more(&mut self, any_cleared: bool) {
        let partial = self.held.len() > self.cleared;
        let began = self.head_began.filter(|_| !any_cleared);
        self.head_began = partial.then(|| began.unwrap_or_else(Instant::now));
    }

    /// Puts `head` in the place of the one of this length behind the cleared part, and scans it.
    fn respell(&mut self, length: usize, head: &[u8]) -> Scan {
        let mut behind = self.held.split_off(self.cleared);
        behind.advance(length);
        self.held.extend_from_slice(head);
        self.held.unsplit(behind);
        let held = self.held.get(self.cleared..).unwrap_or_default();
        let scan = self.framing.scan(held, &self.connection.config.limits);
        self.cleared += scan.cleared;
        scan
    }

    /// Puts the replacement where the refused head would have begun.
    fn refuse(&mut self, refusal: Refusal) {
        self.connection.refuse(refusal);
        self.held.truncate(self.cleared);
        self.held.extend_from_slice(REPLACEMENT);
        self.cleared = self.held.len();
        self.end = Some(End::Refused);
        self.head_began = None;
    }

    /// No byte has come. Ready when that has lasted too long; `true` if there is something to hand on now.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Some(began) = self.head_began {
            ready!(self.deadline.poll_at(cx, began + self.connection.config.limits.header_read));
            self.refuse(Refusal::SLOW_HEAD);
            return Poll::Ready(true);
        }
        if !self.framing.in_head() {
            // The body's own deadline runs, if the gateway waits for it.
            return Poll::Pending;
        }
        ready!(self.deadline.poll_at(cx, self.connection.idle_deadline()));
        Poll::Ready(false)
    }

    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.cleared.min(buf.remaining());
        buf.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.cleared -= length;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// One attempt to read. Ready with `true` when `buf` or `held` has something new, `false` at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        if !self.held.is_empty() {
            return self.poll_held(cx);
        }
        let before = buf.filled().len();
        ready!(self.poll_direct(cx, buf))?;
        Poll::Ready(Ok(buf.filled().len() > before || !self.held.is_empty() || self.end.is_some()))
    }
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if this.cleared > 0 {
                this.hand_on(buf);
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            match this.end {
                Some(End::Refused) => return Poll::Pending,
                Some(End::BrokenBody) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                None => {}
            }
            let more = match this.poll_more(cx, buf) {
                Poll::Ready(more) => more?,
                Poll::Pending => ready!(this.poll_patience(cx)),
            };
            if !more {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.is_some() || !self.framing.between_messages() {
            self.socket.want_linger();
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
