//! Cancelling what runs on a session's server.

use std::time::Duration;

use tokio::{io::AsyncReadExt, time::timeout};

use super::{Session, route::Blocked};

/// Longest wait for a cancel request to be taken.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// Sends a cancel request for what runs now, on a connection of its own, to the same address and encrypted if the
    /// session is (PostgreSQL documentation, "Canceling Requests in Progress").
    pub(super) fn send_cancel(&mut self) {
        let (token, route) = (self.client.cancel_token(), self.route.clone());
        let cancel = async move {
            let mut agreed = route.open().await.map_err(Blocked::into_text)?;
            let sent = token.cancel_query_raw(&mut agreed.wire, agreed.secured).await;
            sent.map_err(|error| error.to_string())?;
            // The server hangs up once it has passed the signal on, without a word, also one of TLS's; until then the
            // cancel could hit what comes next.
            let _ = agreed.wire.read(&mut [0]).await;
            Ok::<(), String>(())
        };
        self.cancel = Some(self.runtime.spawn(async move {
            match timeout(CANCEL_TIMEOUT, cancel).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => tracing::warn!(reason, "postgres statement not cancelled"),
                Err(_) => tracing::warn!("postgres statement not cancelled: no answer"),
            }
        }));
    }
}
