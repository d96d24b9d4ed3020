//! What an edge is made with.

use std::time::Duration;

use http::HeaderValue;

use crate::{Compression, Limits, TrustedProxies};

/// Everything an [`Edge`](crate::Edge) needs beside its address and its gateway.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The protocols spoken.
    pub protocols: Protocols,
    /// The bounds on what clients may do.
    pub limits: Limits,
    /// Whether responses that do not say so themselves may be compressed. Default: on.
    pub compression: Compression,
    /// The `Server` header of responses that have none. Default: `fasterapi-host`, without a version.
    pub server: Option<HeaderValue>,
    /// The proxies that are believed when they name the client before them. Default: those on this machine.
    pub trusted_proxies: TrustedProxies,
    /// How long a drain waits for requests in flight before it cuts them. Default: 30 s.
    pub drain_deadline: Duration,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            protocols: Protocols::default(),
            limits: Limits::default(),
            compression: Compression::On,
            server: Some(HeaderValue::from_static("fasterapi-host")),
            trusted_proxies: TrustedProxies::default(),
            drain_deadline: Duration::from_secs(30),
        }
    }
}

/// The protocols an edge speaks. HTTP/1.1 (and 1.0) always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/2 with prior knowledge. Off: its preface is answered with an HTTP/1.1 505 and a close. Default: on.
    pub h2: bool,
}

impl Default for Protocols {
    fn default() -> Self {
        Self { h2: true }
    }
}
