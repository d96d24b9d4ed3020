//! Cancelling what runs on a session's server.

use std::{io, time::Duration};

use tokio::{io::AsyncReadExt, time::timeout};
use tokio_postgres::NoTls;

use super::Session;

/// Longest wait for a cancel request to be taken.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// Sends a cancel request for what runs now, on a connection of its own (PostgreSQL documentation,
    /// "Canceling Requests in Progress").
    pub(super) fn send_cancel(&mut self) {
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
