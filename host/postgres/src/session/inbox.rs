//! What the server says unasked: notifications, to whoever hears them, and notices, to the log.
//!
//! A notice is logged in the span of the call that uses the session when it comes, so that the log says which tenant,
//! route or request it belongs to. The server sends it before the end of the statement that it is about, so nothing of
//! the span is kept longer than the call. Guests cause notices, as many and as long as they like: both are bounded.

use std::sync::OnceLock;

use parking_lot::Mutex;
use tokio_postgres::{
    Notification,
    error::{DbError, Severity},
};
use tracing::Span;

type Hear = Box<dyn Fn(Option<Notification>) + Send + Sync>;

/// The ear of one session. Without one, notifications are passed over.
pub(crate) struct Inbox {
    ear: OnceLock<Hear>,
    caller: Mutex<Caller>,
}

/// Who uses the session.
struct Caller {
    span: Span,
    /// How many more notices are logged.
    left: u32,
}

/// Most notices logged of one call.
const MOST: u32 = 100;
/// Bytes of a notice that are logged.
const MOST_BYTES: usize = 1 << 10;

impl Default for Inbox {
    fn default() -> Self {
        let caller = Mutex::new(Caller { span: Span::none(), left: MOST });
        Self { ear: OnceLock::new(), caller }
    }
}

impl Inbox {
    pub(super) fn set(&self, hear: impl Fn(Option<Notification>) + Send + Sync + 'static) {
        // A session has one ear.
        let _ = self.ear.set(Box::new(hear));
    }

    pub(super) fn hear(&self, notification: Option<Notification>) {
        if let Some(hear) = self.ear.get() {
            hear(notification);
        }
    }

    /// A call begins, in the span that is current.
    pub(super) fn begin(&self) {
        *self.caller.lock() = Caller { span: Span::current(), left: MOST };
    }

    /// It has ended.
    pub(super) fn end(&self) {
        let ended = std::mem::replace(&mut self.caller.lock().span, Span::none());
        drop(ended);
    }

    /// Logs a notice.
    pub(super) fn note(&self, notice: &DbError) {
        let (span, left) = {
            let mut caller = self.caller.lock();
            let left = caller.left;
            caller.left = left.saturating_sub(1);
            (caller.span.clone(), left)
        };
        let text = notice.message();
        let text = text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default();
        let sqlstate = notice.code().code();
        let severity = notice.parsed_severity();
        span.in_scope(|| match (left, severity) {
            (0, _) => {}
            (1, _) => tracing::info!("more postgres notices of this call are not logged"),
            (_, Some(Severity::Warning)) => tracing::warn!(notice = text, sqlstate, "postgres warning"),
            (_, Some(Severity::Notice | Severity::Info)) => {
                tracing::info!(notice = text, sqlstate, "postgres notice");
            }
            _ => tracing::debug!(notice = text, sqlstate, "postgres message"),
        });
    }
}
