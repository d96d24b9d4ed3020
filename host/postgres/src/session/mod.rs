//! A session: one connection, its prepared statements, and what is known of its state.
//!
//! The contract: when a call's future is dropped at any point, or ends at its deadline, the session knows that work
//! is still under way ([`Working`]): the statement is cancelled on the server, and nothing that follows on this
//! session is sent before that cancel has been delivered. A session goes back to its pool only when it is proven
//! clean: by what it knows ([`Session::is_clean`]), or after [`Session::mend`].

mod batch;
mod cancel;
mod connect;
mod convoy;
mod cursor;
mod endpoint;
mod flow;
mod guard;
mod inbox;
mod loan;
mod login;
mod outgoing;
mod pipeline;
mod printing;
mod reset;
mod route;
mod secure;
mod tap;
mod target;
mod wire;
mod within;
mod work;

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};
use tokio_postgres::{Client, Notification};

pub(crate) use self::{
    convoy::Line,
    cursor::Fetched,
    endpoint::{Endpoint, Place, TcpOptions},
    flow::{Commit, Flow, Incoming},
    guard::Ways,
    loan::Loan,
    printing::Printing,
    tap::{Seen, Status},
    within::{End, Opening},
    work::{Fetch, Working},
};
use self::{inbox::Inbox, route::Route};
use crate::{PgError, judge::Trace, schema::Schema, statement::Statements, statistics::Moved};

pub(crate) struct Session {
    client: Arc<Client>,
    route: Route,
    seen: Arc<Seen>,
    statements: Statements,
    schema: Arc<Schema>,
    /// What its statements may have left behind.
    trace: Trace,
    /// What is taken for left behind by any use: of a server that reads texts in another way than the judgement does.
    least: Trace,
    /// Whether its server holds a transaction that reads to it.
    holds_readers: bool,
    /// The count of reported settings when it was as new.
    settings: u64,
    /// How its server writes values, and the count of reported settings when it was asked.
    printing: Option<(u64, Printing)>,
    /// Work was begun and not seen to end.
    working: bool,
    /// The server may not have told yet where the session stands.
    unsure: bool,
    /// A cancel request on its way.
    cancel: Option<JoinHandle<()>>,
    inbox: Arc<Inbox>,
    driver: AbortHandle,
    runtime: Handle,
    max_result_bytes: usize,
}

impl Session {
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Has it know of the changes that all sessions of a pool meet.
    pub(crate) fn share(&mut self, schema: &Arc<Schema>) {
        self.schema = Arc::clone(schema);
    }

    /// Has `hear` hear the server's notifications, and nothing more once, when the connection has ended. It is called
    /// on the connection's task and must not wait.
    pub(crate) fn on_heard(&self, hear: impl Fn(Option<Notification>) + Send + Sync + 'static) {
        self.inbox.set(hear);
    }

    /// How many bytes went to the server so far.
    pub(crate) fn written(&self) -> u64 {
        self.seen.written()
    }

    /// What went over its wire so far.
    pub(crate) fn moved(&self) -> Moved {
        self.seen.moved()
    }

    /// Whether all that was begun on it was seen to end well.
    pub(crate) const fn is_settled(&self) -> bool {
        !self.working && !self.unsure
    }

    /// Whether the session is as it was when new, without asking the server.
    pub(crate) fn is_clean(&self) -> bool {
        !self.working
            && !self.unsure
            && self.trace == Trace::None
            && self.cancel.is_none()
            && !self.has_drifted()
            && self.seen.status() == Status::Idle
    }

    /// Whether the server has reported a setting since it was as new, whatever its statements' texts say.
    fn has_drifted(&self) -> bool {
        self.seen.settings() != self.settings
    }

    /// What ends a transaction that only reads: where it may have become another, nothing of it is to stay.
    pub(crate) fn end_of_reading(&self) -> &'static str {
        if self.holds_readers { "COMMIT" } else { "ROLLBACK" }
    }

    /// Whether it must not be used again, whatever is done.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.trace == Trace::Spoilt || self.is_closed()
    }

    /// What ends a transaction of the host's own.
    pub(crate) fn last_command(&self, end: End) -> &'static str {
        match end {
            End::Reads => self.end_of_reading(),
            End::WhenSafe | End::Late => "COMMIT",
        }
    }

    /// Whether something of it was given up, and nothing has come since.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.unsure && !self.is_closed()
    }

    /// Marks that it is to be reset before its next use.
    pub(crate) fn taint(&mut self) {
        self.trace = self.trace.max(Trace::Dirty);
    }

    /// Marks that its server is to be asked before anything is believed of it.
    pub(crate) fn doubt(&mut self) {
        self.unsure = true;
    }

    /// Where the session stands, if that is known without asking.
    pub(crate) fn known_status(&self) -> Option<Status> {
        (!self.unsure).then(|| self.seen.status())
    }

    /// Where the session stands; asks the server when it may have changed its mind.
    pub(crate) async fn status(&mut self) -> Result<Status, PgError> {
        if self.unsure {
            let working = Working::begin(&mut *self).await;
            // A Sync: its answer says where the session stands.
            let answer = working.session.client.check_connection().await;
            working.end(answer.map_err(PgError::from))?;
            self.unsure = false;
        }
        Ok(self.seen.status())
    }
}

impl Drop for Session {
    /// A session at rest says goodbye; another is cut off, so that nothing of it goes on.
    fn drop(&mut self) {
        if self.working || self.unsure {
            self.driver.abort();
        }
    }
}
