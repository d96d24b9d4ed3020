//! LISTEN: notifications for many listeners over one connection.
//!
//! A database has one listening connection, outside of its pool though under its caps: made for the first listener, kept
//! a little while after the last. It is shared by all, so that a listener costs no session. When it is lost it is made again, with
//! growing waits, and every listener gets a [`Event::Gap`]: what was notified meanwhile is not known to anyone.
//!
//! Everything is bounded: listeners, channels, and what waits for a listener that is slow, which gets a gap instead of
//! what it missed.

mod hub;
mod keeper;
mod queue;

use std::{fmt, sync::Arc};

pub(crate) use self::hub::Hub;
use self::hub::Seat;
use crate::{Database, PgError, ident::quoted};

/// Most channels of one listener.
const MAX_CHANNELS: usize = 64;

impl Database {
    /// Listens on channels, from when this returns. Names are taken as they are, as in `LISTEN "name"`.
    ///
    /// # Errors
    /// `usage` for no channel or more than 64, a name that is no name, too many listeners; `connection` and `timeout`
    /// when the listening connection cannot be had; what the server says to LISTEN (a standby refuses it).
    pub async fn listen(&self, channels: &[String]) -> Result<Listener, PgError> {
        let count = channels.len();
        if !(1..=MAX_CHANNELS).contains(&count) {
            return Err(PgError::usage(format!("a listener has 1 to {MAX_CHANNELS} channels, not {count}")));
        }
        if channels.iter().any(|channel| quoted(channel).is_none()) {
            return Err(PgError::usage("a channel's name has 1 to 63 bytes, none of them null"));
        }
        let seat = self.hub.seat(channels)?;
        self.limits.bound(seat.tuned()).await?;
        Ok(Listener { seat })
    }
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Someone called NOTIFY, and the transaction in which that was done has committed.
    Notification {
        /// One of the listener's channels.
        channel: Arc<str>,
        /// Up to 8,000 bytes.
        payload: Arc<str>,
        /// The server's process of the session that notified.
        process_id: i32,
    },
    /// Events may be missing here: the connection was lost and made again, or the listener was too slow.
    Gap,
}

/// Hears events on its channels until it is dropped.
pub struct Listener {
    seat: Seat,
}

impl Listener {
    /// The next event. None: the database is being closed. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.seat.next().await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
