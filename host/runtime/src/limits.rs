//! What one instance may use.

use std::time::Duration;

/// The bounds of one instance. Each is enforced: by the store's limiter, by [`crate::guard`], or where a guest's
/// value is read.
#[derive(Clone, Debug)]
pub struct InstanceLimits {
    /// Bytes of linear memory, all memories together. Growing past it fails in the guest as `MemoryError`.
    pub memory: usize,
    /// Time that the guest may compute for one request. Waiting (for a database, a slow client) does not count.
    pub cpu: Duration,
    /// From the call until the response head.
    pub request: Duration,
    /// Between two parts of a streamed response.
    pub stream_idle: Duration,
    /// From the end of the response until the work that follows it is done (background tasks).
    pub background: Duration,
    /// How long the guest may go on once its client has left.
    pub abandoned: Duration,
    /// For making an instance, start-up hooks included; and for its shut-down hooks.
    pub startup: Duration,
    /// Handles that an instance may hold on host resources at a time.
    pub handles: usize,
}

impl Default for InstanceLimits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            cpu: Duration::from_secs(10),
            request: Duration::from_secs(30),
            stream_idle: Duration::from_secs(75),
            background: Duration::from_secs(60),
            abandoned: Duration::from_secs(5),
            startup: Duration::from_secs(30),
            handles: 4096,
        }
    }
}
