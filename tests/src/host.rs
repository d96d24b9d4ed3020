//! A host in this process: the composition root that the program runs, on a port of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use fasterapi_edge::{DrainReport, Shutdown};
use fasterapi_host::{DatabaseChoice, Failure, LaneChoice, Server, ServerConfig};
use fasterapi_platform::Platform;
use tokio::{runtime::Runtime, sync::OnceCell, task::JoinHandle};

use crate::{Guest, http::Client, logs, wait::in_time};

/// A running host. It ends with the value.
#[derive(Debug)]
pub struct Host {
    addr: SocketAddr,
    platform: Platforms,
    shutdown: Shutdown,
    ended: Option<JoinHandle<DrainReport>>,
}

struct Platforms(Arc<Platform>);

impl std::fmt::Debug for Platforms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Platform")
    }
}

/// Hosts outlive the runtime of the test that happens to start them.
fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    &RUNTIME
}

impl Host {
    /// Serves `guest`, without a database, with the limits that `adjust` sets.
    pub async fn start(guest: Guest, adjust: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::try_start(guest, adjust).await.unwrap_or_else(|failure| panic!("{}: {failure}", guest.folder))
    }

    /// Like [`Host::start`].
    ///
    /// # Errors
    /// As the program would end with.
    pub async fn try_start(guest: Guest, adjust: impl FnOnce(&mut ServerConfig)) -> Result<Self, Failure> {
        logs::capture();
        let component = tokio::task::spawn_blocking(move || guest.component()).await.unwrap();
        let mut config = ServerConfig::new(&component);
        config.addr = Some(([127, 0, 0, 1], 0).into());
        config.database = Some(DatabaseChoice::None);
        adjust(&mut config);
        let started = runtime().spawn(async {
            let server = Server::start(config, || {}).await?;
            let (shutdown, addr, platform) = (Shutdown::new(), server.addr(), server.platform());
            let ended = tokio::spawn(server.run(shutdown.clone()));
            Ok(Self { addr, platform: Platforms(platform), shutdown, ended: Some(ended) })
        });
        started.await.unwrap()
    }

    /// The conformance guest with default limits, shared by the tests of this process.
    pub async fn conformance() -> &'static Self {
        static SHARED: OnceCell<Host> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(Guest::CONFORMANCE, |_| {})).await
    }

    /// The conformance guest with every route in the ASGI lane, shared by the tests of this process.
    pub async fn conformance_in_asgi_lane() -> &'static Self {
        static SHARED: OnceCell<Host> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(Guest::CONFORMANCE, |config| config.lane = LaneChoice::Asgi)).await
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.addr)
    }

    /// How many instances are alive, and how many of them have nothing to do.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        self.platform.0.live().pool().census()
    }

    /// Begins a drain.
    pub fn drain(&self) {
        self.shutdown.begin();
    }

    /// Cuts what is in flight.
    pub fn force(&self) {
        self.shutdown.force();
    }

    /// Waits for the end of a drain.
    pub async fn ended(mut self) -> DrainReport {
        let ended = self.ended.take().unwrap();
        in_time("the end of the host", ended).await.unwrap()
    }

    /// Drains it and waits for its end.
    pub async fn stop(self) -> DrainReport {
        self.drain();
        self.ended().await
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}
