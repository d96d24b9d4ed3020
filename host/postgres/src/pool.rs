//! The pool of one database: deadpool's managed pool with our sessions in it.
//!
//! A checkout takes a session that is clean as it is (a lock, no message); a session that came back in any other
//! state is mended off the caller's path before the pool sees it again, and keeps its place in the pool's count
//! meanwhile. What cannot be mended is closed.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts},
};
use fasterapi_core::DatabaseAlias;
use tokio::{runtime::Handle, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{DatabaseConfig, PgError, PgErrorKind, config::Reset, session::Session};

/// Longest time that a session's mending may take before the session is closed instead.
const MEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes sessions for deadpool and judges those that were left idle.
pub(crate) struct Manager(DatabaseConfig);

impl managed::Manager for Manager {
    type Type = Session;
    type Error = PgError;

    async fn create(&self) -> Result<Session, PgError> {
        Session::connect(&self.0).await.inspect_err(|error| {
            tracing::warn!(reason = error.operator(), "no connection to postgres");
        })
    }

    async fn recycle(&self, session: &mut Session, metrics: &Metrics) -> RecycleResult<PgError> {
        match lives(session, metrics, &self.0) {
            true => Ok(()),
            false => Err(RecycleError::message("closed, idle for too long, or too old")),
        }
    }
}

fn lives(session: &Session, metrics: &Metrics, config: &DatabaseConfig) -> bool {
    !session.is_closed()
        && metrics.last_used() < config.limits.idle_timeout
        && session.born().elapsed() < config.limits.max_lifetime
}

/// A pool and what it needs to take its sessions back.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    sessions: managed::Pool<Manager>,
    alias: DatabaseAlias,
    menders: TaskTracker,
    runtime: Handle,
}

impl Pool {
    /// A pool without sessions; they are made when they are needed.
    pub(crate) fn new(alias: DatabaseAlias, config: DatabaseConfig, menders: TaskTracker) -> Self {
        let max_size = config.limits.max_size.get();
        let sessions = managed::Pool::builder(Manager(config))
            .max_size(max_size)
            .runtime(Runtime::Tokio1)
            .queue_mode(QueueMode::Lifo);
        #[allow(clippy::expect_used, reason = "building fails only for timeouts without a runtime")]
        let sessions = sessions.build().expect("a pool with a runtime");
        Self(Arc::new(Inner { sessions, alias, menders, runtime: Handle::current() }))
    }

    pub(crate) fn config(&self) -> &DatabaseConfig {
        &self.0.sessions.manager().0
    }

    /// Takes a session: an idle one, a new one, or the next to come back.
    pub(crate) async fn lease(&self) -> Result<Lease, PgError> {
        // First without a timer, which would cost more than the rest.
        let object = match self.get(Duration::ZERO).await {
            Err(PoolError::Timeout(_)) => self.get(self.config().limits.checkout_timeout).await,
            other => other,
        };
        let object = object.map_err(|error| self.no_lease(error))?;
        Ok(Lease { session: Some(object), pool: self.clone() })
    }

    async fn get(&self, wait: Duration) -> Result<Object<Manager>, PoolError<PgError>> {
        let timeouts = Timeouts { wait: Some(wait), create: None, recycle: None };
        self.0.sessions.timeout_get(&timeouts).await
    }

    fn no_lease(&self, error: PoolError<PgError>) -> PgError {
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => {
                let limits = &self.config().limits;
                PgError::timeout(format!(
                    "no session of database `{}` became free within {:?}: all {} are in use",
                    self.0.alias, limits.checkout_timeout, limits.max_size
                ))
            }
            _ => PgError::connection(format!("database `{}` is being closed", self.0.alias)),
        }
    }

    /// Closes idle sessions that are broken, unused for too long, or too old.
    pub(crate) fn trim(&self) {
        let removed = self.0.sessions.retain(|session, metrics| lives(session, &metrics, self.config()));
        drop(removed);
    }

    /// Closes a session that proved dead, and with it those that died unseen.
    pub(crate) fn replace(&self, mut dead: Lease) {
        drop(dead.session.take().map(Object::take));
        self.trim();
    }

    /// Refuses leases from now on and closes idle sessions; those on lease are closed at their return.
    pub(crate) fn close(&self) {
        self.0.sessions.close();
    }

    fn take_back(&self, mut session: Object<Manager>) {
        if self.config().limits.reset == Reset::Always {
            session.taint();
        }
        if session.is_spoilt() {
            drop(Object::take(session));
        } else if !session.is_clean() {
            self.0.menders.spawn_on(mend(session), &self.0.runtime);
        }
        // A clean one goes back here, by its own drop.
    }
}

async fn mend(mut session: Object<Manager>) {
    match timeout(MEND_TIMEOUT, session.mend()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => tracing::debug!(%error, "postgres session closed: it could not be cleaned"),
        Err(_) => tracing::warn!("postgres session closed: cleaning it took over {MEND_TIMEOUT:?}"),
    }
    drop(Object::take(session));
}

/// A session on lease. Dropping it gives it back.
pub(crate) struct Lease {
    /// There until the drop.
    session: Option<Object<Manager>>,
    pool: Pool,
}

impl Lease {
    /// Whether the session broke before anything was sent since its count of bytes was `written`.
    pub(crate) fn died_unsent<T>(&self, written: u64, result: &Result<T, PgError>) -> bool {
        let broke = result.as_ref().is_err_and(|error| error.kind == PgErrorKind::Connection);
        broke && self.is_closed() && self.written() == written
    }
}

#[allow(clippy::expect_used, reason = "the session is taken only where the lease ends")]
impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("a lease has its session")
    }
}

#[allow(clippy::expect_used, reason = "the session is taken only where the lease ends")]
impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("a lease has its session")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.take_back(session);
        }
    }
}
