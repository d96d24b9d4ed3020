//! What the parts of one connection share: counts and flags, all atomic.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::flushes::Flushes;
use crate::problem::Refusal;
use crate::websocket::Upgrade;
use crate::{EdgeConfig, Peer};

/// One connection's shared state.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) config: Arc<EdgeConfig>,
    peer: Peer,
    from_proxy: bool,
    opened: Instant,
    in_flight: AtomicU32,
    /// Microseconds after `opened`.
    idle_since: AtomicU64,
    /// Why the request that the HTTP/1 guard replaced was refused; the connection's last.
    refusal: OnceLock<Refusal>,
    /// Whether a response is under way whose end only the connection's end shows.
    close_delimited: AtomicBool,
    pub(crate) flushes: Flushes,
    /// What the connection becomes after the response that is under way.
    pub(crate) upgrade: Mutex<Option<Upgrade>>,
}

impl Connection {
    pub(crate) fn new(config: Arc<EdgeConfig>, peer: Peer) -> Self {
        Self {
            from_proxy: config.trusted_proxies.contain(peer.remote.ip()),
            config,
            peer,
            opened: Instant::now(),
            in_flight: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            refusal: OnceLock::new(),
            close_delimited: AtomicBool::new(false),
            flushes: Flushes::default(),
            upgrade: Mutex::default(),
        }
    }

    /// Who asks with a head of these headers.
    pub(crate) fn peer(&self, headers: &HeaderMap) -> Peer {
        if self.from_proxy { self.config.trusted_proxies.peer(self.peer, headers) } else { self.peer }
    }

    /// Requests that were begun and whose response bodies have not ended.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// When the connection will have been idle for too long, as things stand.
    pub(crate) fn idle_deadline(&self) -> Instant {
        let since = match self.in_flight() {
            0 => self.opened + Duration::from_micros(self.idle_since.load(Ordering::Acquire)),
            _ => Instant::now(),
        };
        since + self.config.limits.keep_alive
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        // The first stands; the guard lets nothing through after it.
        let _ = self.refusal.set(refusal);
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }

    pub(crate) fn set_close_delimited(&self, under_way: bool) {
        self.close_delimited.store(under_way, Ordering::Release);
    }

    pub(crate) fn close_delimited(&self) -> bool {
        self.close_delimited.load(Ordering::Acquire)
    }
}

/// Counts one request as in flight for as long as it lives: from its head to its response's last byte.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) connection: Arc<Connection>,
}

impl InFlight {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        connection.in_flight.fetch_add(1, Ordering::AcqRel);
        Self { connection: Arc::clone(connection) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let idle_since = u64::try_from(self.connection.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.connection.idle_since.store(idle_since, Ordering::Release);
        self.connection.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
