//! Whose doing a failure is.

use std::fmt;

/// The party that a failure is blamed on. Every error of this project knows its origin; logs, metrics and the
/// table of HTTP statuses go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The app: it raised, trapped, overran a limit, or asked for what it was not granted.
    Guest,
    /// The client: malformed or oversized input, or it went away.
    Client,
    /// This program or its operator's configuration.
    Host,
    /// A server behind the host, such as Postgres.
    Upstream,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "guest",
            Self::Client => "client",
            Self::Host => "host",
            Self::Upstream => "upstream",
        })
    }
}
