//! A TCP stream with the deadlines and the manners of a server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::state::Connection;

/// How long we go on reading, and throwing away, what a client sends after an answer that did not wait for it.
/// Closing at once would make the kernel reset the connection and the client lose the answer (RFC 9112,
/// section 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// The stream under one connection.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    /// Read while looking for the protocol, not yet handed on.
    sniffed: BytesMut,
    connection: Arc<Connection>,
    /// Since when the kernel has taken no byte from us.
    stalled: Option<Instant>,
    write_deadline: Deadline,
    linger: Linger,
}

#[derive(Debug)]
enum Linger {
    Unwanted,
    Wanted,
    Reading { until: Instant, deadline: Deadline },
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, sniffed: BytesMut, connection: Arc<Connection>) -> Self {
        let (write_deadline, linger) = (Deadline::default(), Linger::Unwanted);
        Self { tcp, sniffed, connection, stalled: None, write_deadline, linger }
    }

    /// The client may still be sending when we close: see [`LINGER`].
    pub(crate) fn want_linger(&mut self) {
        if matches!(self.linger, Linger::Unwanted) {
            self.linger = Linger::Wanted;
        }
    }

    /// Passes on a write's outcome; turns a wait that is too long into an error.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        ready!(self.write_deadline.poll_at(cx, since + self.connection.config.limits.write_idle));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "client takes no bytes")))
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.linger, Linger::Wanted) {
            self.linger = Linger::Reading { until: Instant::now() + LINGER, deadline: Deadline::default() };
        }
        let Linger::Reading { until, deadline } = &mut self.linger else { return Poll::Ready(()) };
        let mut scratch = [0; 8192];
        loop {
            // Checked on every turn: a client that never stops sending would keep us here.
            if deadline.poll_at(cx, *until).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sniffed.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        let length = self.sniffed.len().min(buf.remaining());
        buf.put_slice(self.sniffed.get(..length).unwrap_or_default());
        self.sniffed.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.bounded(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.bounded(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_flush(cx))?;
        self.connection.flushes.add();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
        ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The end of the connection is the end of this response, and it has not come: a FIN would tell the
        // client that it has. Only HTTP/1.0 clients get such responses.
        if self.connection.close_delimited() {
            let _ = self.tcp.set_zero_linger();
        }
    }
}
