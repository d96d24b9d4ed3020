//! Making a session: a socket, the log-in, and the task that runs the connection.

use std::time::Instant;

use tokio::{runtime::Handle, time::timeout};
use tokio_postgres::{AsyncMessage, Connection, NoTls, tls::NoTlsStream};

use super::{Endpoint, Session, endpoint::Socket, tap::Tap};
use crate::{DatabaseConfig, PgError, judge::Trace, statement::Statements};

/// What a message may have over the limit of a block: the server's binary form is about as long as ours.
const MESSAGE_SLACK: usize = 1 << 20;

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
}

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
