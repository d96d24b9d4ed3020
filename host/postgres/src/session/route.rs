//! One way to one server, which a session came by and its cancel requests go by too.

use super::{
    Endpoint,
    endpoint::Address,
    secure::{self, Agreed, Terms},
};
use crate::{error::NO_SERVER, tls::Encryption};

#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) address: Address,
    pub(super) terms: Terms,
}

/// Why a wire could not be had.
#[derive(Debug)]
pub(super) enum Blocked {
    /// No socket: nobody listens, or nobody can be reached; or what does is something else.
    Socket(String),
    /// No agreement on encryption.
    Tls(String),
}

impl Blocked {
    pub(super) fn tls(text: impl Into<String>) -> Self {
        Self::Tls(text.into())
    }

    pub(super) fn stranger() -> Self {
        Self::Socket(NO_SERVER.into())
    }

    pub(super) fn into_text(self) -> String {
        match self {
            Self::Socket(text) | Self::Tls(text) => text,
        }
    }
}

impl Route {
    /// Opens a wire. The caller sets the deadline.
    ///
    /// # Errors
    /// For the operator.
    pub(super) async fn open(&self) -> Result<Agreed, Blocked> {
        let socket = self.endpoint.open(&self.address).await;
        let socket = socket.map_err(|error| Blocked::Socket(error.to_string()))?;
        secure::agree(socket, &self.endpoint, &self.terms).await
    }

    /// The same way, with no other encryption than the one that was agreed on.
    pub(super) fn settled(mut self, encrypted: bool) -> Self {
        self.terms.encryption = if encrypted { Encryption::Required } else { Encryption::None };
        self
    }
}
