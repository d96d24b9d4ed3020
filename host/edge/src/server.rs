//! The listener: takes a port, accepts connections, and drains.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::connection::{Cut, Serving};
use crate::shutdown::{Shutdown, Stage};
use crate::state::Connection;
use crate::{EdgeConfig, Gateway, Peer, Scheme};

/// Connections that the kernel keeps for us while we accept none.
const BACKLOG: u32 = 1024;

/// The address could not be listened on. The host's operator is to blame.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}")]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the system said: taken, not ours, not allowed.
    #[source]
    pub source: io::Error,
}

/// What a drain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Connections that were cut with a request in flight.
    pub cut_connections: u64,
    /// Requests that were cut.
    pub cut_requests: u64,
}

/// An address that is taken, and that nobody can connect to yet: so a host can make sure of its port before it starts
/// what stands behind it, and who waits for an open port finds one that answers.
#[derive(Debug)]
pub struct Bound {
    socket: TcpSocket,
    addr: SocketAddr,
}

impl Bound {
    /// Takes the address; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address is taken, not this machine's, or not allowed.
    pub fn new(addr: SocketAddr) -> Result<Self, BindError> {
        let socket = bind(addr).map_err(|source| BindError { addr, source })?;
        let addr = socket.local_addr().map_err(|source| BindError { addr, source })?;
        Ok(Self { socket, addr })
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Fails when another process took the address in the same moment, and listened first.
    fn listen(self) -> Result<TcpListener, BindError> {
        self.socket.listen(BACKLOG).map_err(|source| BindError { addr: self.addr, source })
    }
}

/// A listener with a gateway behind it.
#[derive(Debug)]
pub struct Edge<G> {
    listener: TcpListener,
    addr: SocketAddr,
    config: Arc<EdgeConfig>,
    gateway: Arc<G>,
}

impl<G: Gateway> Edge<G> {
    /// Takes the address and opens it; port 0 takes any free one. See [`Edge::new`].
    ///
    /// # Errors
    /// When the address is taken, not this machine's, or not allowed.
    pub fn bind(addr: SocketAddr, config: EdgeConfig, gateway: Arc<G>) -> Result<Self, BindError> {
        Self::new(Bound::new(addr)?, config, gateway)
    }

    /// Opens an address with `gateway` behind it: from here on clients can connect, and wait for [`Edge::serve`]. Must
    /// be called within a tokio runtime.
    ///
    /// # Errors
    /// When somebody else listens there by now.
    pub fn new(bound: Bound, config: EdgeConfig, gateway: Arc<G>) -> Result<Self, BindError> {
        let addr = bound.addr;
        Ok(Self { listener: bound.listen()?, addr, config: Arc::new(config), gateway })
    }

    /// The address that is listened on, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` begins and all connections are gone: each when its requests in flight have been
    /// answered, or at the drain deadline, or when `shutdown` is forced. Dropping the future stops accepting
    /// and leaves the connections to themselves.
    pub async fn serve(self, shutdown: Shutdown) -> DrainReport {
        let Self { listener, config, gateway, .. } = self;
        let max = config.limits.max_connections.get();
        let slots = Arc::new(Semaphore::new(max as usize));
        let cut = Arc::new(Cut::default());
        let start = |tcp: TcpStream, peer: Peer, permit: OwnedSemaphorePermit| {
            let serving = Serving {
                gateway: Arc::clone(&gateway),
                connection: Arc::new(Connection::new(Arc::clone(&config), peer)),
                watch: shutdown.watch(),
                cut: Arc::clone(&cut),
            };
            tokio::spawn(serving.run(tcp, permit));
        };
        tokio::select! {
            () = shutdown_begun(&shutdown) => {}
            () = accept_all(&listener, &slots, start) => {}
        }
        drop(listener);
        // All slots free: all connections gone.
        if timeout(config.drain_deadline, slots.acquire_many(max)).await.is_err() {
            shutdown.force();
            let _ = slots.acquire_many(max).await;
        }
        DrainReport {
            cut_connections: cut.connections.load(Ordering::Relaxed),
            cut_requests: cut.requests.load(Ordering::Relaxed),
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a restart can take the port while old connections still time out in the kernel.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn shutdown_begun(shutdown: &Shutdown) {
    shutdown.watch().reached(Stage::Draining).await;
}

async fn accept_all(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    start: impl Fn(TcpStream, Peer, OwnedSemaphorePermit),
) {
    let mut failures = 0;
    // Taken before accepting: who finds no slot waits in the kernel's backlog. The semaphore is never closed.
    while let Ok(permit) = Arc::clone(slots).acquire_owned().await {
        match listener.accept().await.and_then(|(tcp, remote)| Ok((tcp.local_addr()?, tcp, remote))) {
            Ok((local, tcp, remote)) => {
                failures = 0;
                start(tcp, Peer::new(remote, local, Scheme::Http), permit);
            }
            Err(error) => {
                drop(permit);
                if let Some(pause) = accept_pause(&error, failures) {
                    failures += 1;
                    tracing::warn!(%error, ?pause, "cannot accept connections");
                    sleep(pause).await;
                }
            }
        }
    }
}

/// How long to wait after `accept` failed for the time `failures` + 1: not at all where only that connection
/// was at fault. Out of descriptors or memory, trying again at once would spin.
fn accept_pause(error: &io::Error, failures: u32) -> Option<Duration> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, NotConnected};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | NotConnected => None,
        _ => Some(Duration::from_millis(10 << failures.min(6))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_pauses_longer_and_longer_but_not_for_one_clients_fault() {
        const EMFILE: i32 = 24;
        const ECONNABORTED: i32 = 103;
        let pause = |code, failures| accept_pause(&io::Error::from_raw_os_error(code), failures);
        assert_eq!(pause(ECONNABORTED, 0), None);
        assert_eq!(pause(EMFILE, 0), Some(Duration::from_millis(10)));
        assert_eq!(pause(EMFILE, 3), Some(Duration::from_millis(80)));
        assert_eq!(pause(EMFILE, 1000), Some(Duration::from_millis(640)));
    }
}
