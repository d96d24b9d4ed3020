//! A session: one connection, its prepared statements, and what is known of its state.
//!
//! The contract: when a call's future is dropped at any point, or ends at its deadline, the session knows that work
//! is still under way ([`Working`]): the statement is cancelled on the server, and nothing that follows on this
//! session is sent before that cancel has been delivered. A session goes back to its pool only when it is proven
//! clean: by what it knows ([`Session::is_clean`]), or after [`Session::mend`].

mod endpoint;
mod tap;
mod work;

use std::{io, sync::Arc, time::Instant};

use tokio::{
    io::AsyncReadExt,
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, tls::NoTlsStream};

pub(crate) use self::{
    endpoint::Endpoint,
    tap::{Seen, Status},
};
use self::{
    endpoint::Socket,
    tap::Tap,
    work::{CANCEL_TIMEOUT, Working},
};
use crate::{DatabaseConfig, PgError, judge::Trace, statement::Statements};

/// What a message may have over the limit of a block: the server's binary form is about as long as ours.
const MESSAGE_SLACK: usize = 1 << 20;

pub(crate) struct Session {
    client: Client,
    endpoint: Endpoint,
    seen: Arc<Seen>,
    statements: Statements,
    /// What its statements may have left behind.
    trace: Trace,
    /// Work was begun and not seen to end.
    working: bool,
    /// The server may not have told yet where the session stands.
    unsure: bool,
    /// A cancel request on its way.
    cancel: Option<JoinHandle<()>>,
    driver: AbortHandle,
    runtime: Handle,
    max_result_bytes: usize,
    born: Instant,
}

impl Session {
    /// Connects to the first of the configuration's endpoints that lets it in.
    pub(crate) async fn connect(config: &DatabaseConfig) -> Result<Self, PgError> {
        let mut last = PgError::unreachable("no endpoint is configured");
        for endpoint in &config.endpoints {
            let deadline = config.limits.connect_timeout;
            match timeout(deadline, Self::connect_to(endpoint, config)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => last = error,
                Err(_) => last = PgError::unreachable(format!("{endpoint}: no answer within {deadline:?}")),
            }
        }
        Err(last)
    }

    async fn connect_to(endpoint: &Endpoint, config: &DatabaseConfig) -> Result<Self, PgError> {
        let socket = endpoint.open().await.map_err(|e| PgError::unreachable(format!("{endpoint}: {e}")))?;
        let limits = &config.limits;
        let tap = Tap::new(socket, limits.max_result_bytes.saturating_add(MESSAGE_SLACK));
        let seen = tap.seen();
        let (client, connection) = config
            .driver
            .connect_raw(tap, NoTls)
            .await
            .map_err(|error| PgError::refused(&endpoint.to_string(), &error))?;
        Ok(Self {
            client,
            endpoint: endpoint.clone(),
            seen,
            statements: Statements::new(limits.statements),
            trace: Trace::None,
            working: false,
            unsure: false,
            cancel: None,
            driver: tokio::spawn(drive(connection)).abort_handle(),
            runtime: Handle::current(),
            max_result_bytes: limits.max_result_bytes,
            born: Instant::now(),
        })
    }

    pub(crate) fn born(&self) -> Instant {
        self.born
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// How many bytes went to the server so far.
    pub(crate) fn written(&self) -> u64 {
        self.seen.written()
    }

    /// Whether the session is as it was when new, without asking the server.
    pub(crate) fn is_clean(&self) -> bool {
        !self.working
            && !self.unsure
            && self.trace == Trace::None
            && self.cancel.is_none()
            && self.seen.status() == Status::Idle
    }

    /// Whether it must not be used again, whatever is done.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.trace == Trace::Spoilt || self.is_closed()
    }

    /// Marks that it is to be reset before its next use.
    pub(crate) fn taint(&mut self) {
        self.trace = self.trace.max(Trace::Dirty);
    }

    /// Where the session stands, if that is known without asking.
    pub(crate) fn known_status(&self) -> Option<Status> {
        (!self.unsure).then(|| self.seen.status())
    }

    /// Where the session stands; asks the server when it may have changed its mind.
    pub(crate) async fn status(&mut self) -> Result<Status, PgError> {
        if self.unsure {
            let working = Working::begin(self).await;
            // A Sync: its answer says where the session stands.
            let answer = working.session.client.check_connection().await;
            working.end(answer.map_err(PgError::from))?;
            self.unsure = false;
        }
        Ok(self.seen.status())
    }

    /// Makes the session as new: waits for what runs (a cancel of it has been sent), rolls back, resets.
    pub(crate) async fn mend(&mut self) -> Result<(), PgError> {
        if self.status().await? != Status::Idle {
            self.command("ROLLBACK").await?;
        }
        if self.trace == Trace::Dirty {
            self.command(RESET).await?;
            self.trace = Trace::None;
        }
        match self.seen.status() {
            Status::Idle => Ok(()),
            _ => Err(PgError::connection("the session could not be brought to rest")),
        }
    }
}

/// DISCARD ALL without DEALLOCATE ALL: the statements kept are the host's own, and stay.
const RESET: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP";

/// Runs the connection until it ends; the server's notices go to the log.
async fn drive(mut connection: Connection<Tap<Socket>, NoTlsStream>) {
    while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                tracing::debug!(severity = notice.severity(), notice = notice.message(), "postgres notice");
            }
            Ok(_) => {}
            Err(error) => {
                let error = PgError::from(error);
                tracing::debug!(%error, "postgres connection ended");
                return;
            }
        }
    }
}

impl Drop for Session {
    /// A session at rest says goodbye; another is cut off, so that nothing of it goes on.
    fn drop(&mut self) {
        if self.working || self.unsure {
            self.driver.abort();
        }
    }
}

impl Session {
    /// Sends a cancel request for what runs now, on a connection of its own (PostgreSQL documentation,
    /// "Canceling Requests in Progress").
    fn send_cancel(&mut self) {
        let (token, endpoint) = (self.client.cancel_token(), self.endpoint.clone());
        let cancel = async move {
            let mut socket = endpoint.open().await?;
            token.cancel_query_raw(&mut socket, NoTls).await.map_err(io::Error::other)?;
            // The server hangs up once it has passed the signal on; until then the cancel could hit what comes next.
            socket.read(&mut [0]).await
        };
        self.cancel = Some(self.runtime.spawn(async move {
            match timeout(CANCEL_TIMEOUT, cancel).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "postgres statement not cancelled"),
                Err(_) => tracing::warn!("postgres statement not cancelled: no answer"),
            }
        }));
    }
}
