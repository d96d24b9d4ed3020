//! Who hears what the server says unasked.

use std::sync::OnceLock;

use tokio_postgres::Notification;

type Hear = Box<dyn Fn(Option<Notification>) + Send + Sync>;

/// The ear of one session. Without one, notifications are passed over.
#[derive(Default)]
pub(crate) struct Inbox(OnceLock<Hear>);

impl Inbox {
    pub(super) fn set(&self, hear: impl Fn(Option<Notification>) + Send + Sync + 'static) {
        // A session has one ear.
        let _ = self.0.set(Box::new(hear));
    }

    pub(super) fn hear(&self, notification: Option<Notification>) {
        if let Some(hear) = self.0.get() {
            hear(notification);
        }
    }
}
