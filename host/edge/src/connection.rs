//! One connection, from accept to close.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::deadline::Deadline;
use crate::h1::Guard;
use crate::h2::Streams;
use crate::service::call;
use crate::shutdown::{Stage, Watch};
use crate::socket::Socket;
use crate::state::Connection;
use crate::{Gateway, Limits};

/// RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most response bytes that hyper buffers for one HTTP/1 connection, or one HTTP/2 stream.
const SEND_BUFFER: usize = 128 * 1024;

/// The most unread request bytes of one HTTP/2 stream, and of one connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What was cut when an edge was forced to end.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
}

/// Everything one connection is served with.
pub(crate) struct Serving<G> {
    pub(crate) gateway: Arc<G>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) watch: Watch,
    pub(crate) cut: Arc<Cut>,
}

impl<G: Gateway> Serving<G> {
    /// Serves the connection; the permit stands for it until its last stream is gone.
    pub(crate) async fn run(mut self, mut tcp: TcpStream, permit: OwnedSemaphorePermit) {
        let _ = tcp.set_nodelay(true);
        let mut sniffed = BytesMut::new();
        let Some(h2) = self.sniff(&mut tcp, &mut sniffed).await else { return };
        let socket = Socket::new(tcp, sniffed, Arc::clone(&self.connection));
        if h2 && self.connection.config.protocols.h2 {
            self.run_h2(socket, Arc::new(permit)).await;
        } else {
            self.run_h1(socket).await;
            drop(permit);
        }
    }

    fn limits(&self) -> &Limits {
        &self.connection.config.limits
    }

    /// Whether the client speaks HTTP/2; none where it says nothing, or the edge is ending.
    async fn sniff(&mut self, tcp: &mut TcpStream, sniffed: &mut BytesMut) -> Option<bool> {
        let (keep_alive, header_read) = (self.limits().keep_alive, self.limits().header_read);
        let read = async {
            let mut first = [0; PREFACE.len()];
            let length = timeout(keep_alive, tcp.read(&mut first)).await.ok()?.ok()?;
            sniffed.extend_from_slice(first.get(..length)?);
            // What is left after the deadline is for the HTTP/1 guard to judge.
            let _ = timeout(header_read, async {
                while !sniffed.is_empty() && sniffed.len() < PREFACE.len() && PREFACE.starts_with(sniffed) {
                    let mut more = [0; 1];
                    let length = tcp.read(&mut more).await.unwrap_or(0);
                    if length == 0 {
                        break;
                    }
                    sniffed.extend_from_slice(&more);
                }
            })
            .await;
            (!sniffed.is_empty()).then(|| sniffed.starts_with(PREFACE))
        };
        tokio::select! {
            biased;
            h2 = read => h2,
            () = self.watch.reached(Stage::Draining) => None,
        }
    }

    async fn run_h1(mut self, socket: Socket) {
        let limits = self.limits();
        let mut builder = http1::Builder::new();
        builder.header_read_timeout(None);
        builder.max_buf_size(SEND_BUFFER.max(limits.header_bytes as usize + 8192));
        builder.max_header_size(limits.header_bytes as usize);
        // hyper's own default of 100 needs no allocation; the guard counts anyway.
        if limits.header_count > 100 {
            builder.max_headers(usize::from(limits.header_count));
        }
        let guard = Guard::new(socket, Arc::clone(&self.connection));
        let (gateway, connection) = (Arc::clone(&self.gateway), Arc::clone(&self.connection));
        let service = service_fn(move |request| call(&gateway, &connection, request));
        let http = builder.serve_connection(TokioIo::new(guard), service).with_upgrades();
        // The guard ends an idle connection: it knows whether a head has begun.
        let idle = Idle::Unwatched;
        self.drive(pin!(http), http1::UpgradeableConnection::graceful_shutdown, idle).await;
        let upgrade = self.connection.upgrade.lock().take();
        if let Some(upgrade) = upgrade
            && let Err(_in_flight) = upgrade.run(&mut self.watch).await
        {
            self.count_cut();
        }
    }

    async fn run_h2(mut self, socket: Socket, permit: Arc<OwnedSemaphorePermit>) {
        let limits = self.limits();
        let streams = Streams { patience: limits.write_idle, permit };
        let mut builder = http2::Builder::new(streams);
        builder.timer(TokioTimer::new());
        builder.max_concurrent_streams(limits.h2_max_streams);
        builder.max_header_list_size(limits.header_bytes);
        builder.max_pending_accept_reset_streams(limits.h2_max_pending_resets as usize);
        builder.max_local_error_reset_streams(limits.h2_max_error_resets as usize);
        builder.initial_stream_window_size(STREAM_WINDOW);
        builder.initial_connection_window_size(CONNECTION_WINDOW);
        builder.max_send_buf_size(SEND_BUFFER);
        let (gateway, connection) = (Arc::clone(&self.gateway), Arc::clone(&self.connection));
        let service = service_fn(move |request| call(&gateway, &connection, request));
        let http = builder.serve_connection(TokioIo::new(socket), service);
        self.drive(pin!(http), http2::Connection::graceful_shutdown, Idle::Watched).await;
    }

    /// Polls a connection to its end, passing on the edge's shutdown.
    async fn drive<C>(&mut self, mut http: Pin<&mut C>, drain: fn(Pin<&mut C>), mut idle: Idle)
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut deadline = Deadline::default();
        let mut draining = false;
        std::future::poll_fn(|cx| {
            match self.watch.look(cx) {
                Stage::Forced => {
                    self.count_cut();
                    return Poll::Ready(());
                }
                Stage::Draining if !draining => {
                    draining = true;
                    drain(http.as_mut());
                }
                Stage::Draining | Stage::Running => {}
            }
            loop {
                if let Poll::Ready(result) = http.as_mut().poll(cx) {
                    log_end(result);
                    return Poll::Ready(());
                }
                match idle.poll(cx, &self.connection, &mut deadline) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(IdleEnd::Gently) => drain(http.as_mut()),
                    Poll::Ready(IdleEnd::AtOnce) => return Poll::Ready(()),
                }
            }
        })
        .await;
    }

    fn count_cut(&self) {
        let requests = self.connection.in_flight();
        if requests > 0 {
            self.cut.connections.fetch_add(1, Ordering::Relaxed);
            self.cut.requests.fetch_add(u64::from(requests), Ordering::Relaxed);
        }
    }
}

/// The end of an idle HTTP/2 connection: first GOAWAY, then, if the client does not go, a close.
#[derive(Debug)]
enum Idle {
    Unwatched,
    Watched,
    Ending { until: Instant },
}

enum IdleEnd {
    Gently,
    AtOnce,
}

impl Idle {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Connection,
        deadline: &mut Deadline,
    ) -> Poll<IdleEnd> {
        let patience = connection.config.limits.write_idle;
        match self {
            Self::Unwatched => Poll::Pending,
            Self::Watched => {
                ready!(deadline.poll_at(cx, connection.idle_deadline()));
                *self = Self::Ending { until: Instant::now() + patience };
                Poll::Ready(IdleEnd::Gently)
            }
            Self::Ending { until } => loop {
                ready!(deadline.poll_at(cx, *until));
                if connection.in_flight() == 0 {
                    return Poll::Ready(IdleEnd::AtOnce);
                }
                // A request that crossed the GOAWAY on its way.
                *until = Instant::now() + patience;
            },
        }
    }
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
}
