//! One granted database, and what can be done with it.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use crate::{
    PgError, RowStream, Transaction, TransactionOptions,
    call::CallLimits,
    listen::Hub,
    pool::{Lease, Pool},
    ride::Told,
    session::{Fetch, Opening},
    statistics::{Observation, Observer, What},
    variables::Variables,
};

/// A result of at most this many bytes comes whole.
const AT_ONCE: usize = 1 << 20;

/// A handle on one tenant's granted database: cheap to make and to clone. It holds no connection; each call takes
/// one for its own length.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    pub(crate) limits: CallLimits,
    pub(crate) hub: Hub,
    pub(crate) variables: Option<Variables>,
    pub(crate) read_only: bool,
    pub(crate) observer: Observer,
}

impl Database {
    pub(crate) fn new(pool: Pool, hub: Hub, observer: Observer) -> Self {
        let (limits, read_only) = (CallLimits::of(pool.config().limits()), pool.config().read_only);
        Self { pool, limits, hub, variables: None, read_only, observer }
    }

    pub(crate) const fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// Shortens the time that a statement may take. A longer time than the grant's changes nothing.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.limits = self.limits.within(timeout);
        self
    }

    /// Gives a statement another time than the grant does, more or less: the operator's word, not a guest's.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.limits = self.limits.with_statement_timeout(timeout);
        self
    }

    /// Names the route whose calls these are, for the statistics.
    #[must_use]
    pub fn on_route(mut self, route: Arc<str>) -> Self {
        self.observer.on_route(route);
        self
    }

    /// Runs one statement on its own (autocommit) and returns its packed result. `params` and the result are blocks
    /// as the README of `fasterapi:postgres` describes. Dropping the future cancels the statement on the server.
    ///
    /// # Errors
    /// Any kind. A session that turns out dead before anything was sent is replaced once, unseen.
    pub async fn query(&self, sql: &str, params: &[u8]) -> Result<Vec<u8>, PgError> {
        match self.run(sql, params, usize::MAX).await?.0 {
            Fetch::Whole(block) | Fetch::First(block, _) => Ok(block),
        }
    }

    /// Like [`query`](Self::query); of a result over 1 MiB the block holds the first rows, with a count of 0 affected
    /// ones, and the stream the others.
    ///
    /// # Errors
    /// As [`query`](Self::query), but for `too-large`, which one row of that size is.
    pub async fn fetch(&self, sql: &str, params: &[u8]) -> Result<(Vec<u8>, Option<RowStream>), PgError> {
        Ok(match self.run(sql, params, AT_ONCE).await? {
            (Fetch::First(block, rest), Some(lease)) => {
                (block, Some(RowStream::rest(rest, lease, self.limits)))
            }
            (Fetch::Whole(block) | Fetch::First(block, _), _) => (block, None),
        })
    }

    /// Runs a statement: within a transaction of its own if the grant or the host's variables need one, else on any session,
    /// which it may share with others.
    async fn run(&self, sql: &str, params: &[u8], most: usize) -> Result<(Fetch, Option<Lease>), PgError> {
        let read = &self.limits.read(sql, params)?;
        let opening = &self.opening_of_statement();
        let mut call = Some(self.observer.begin(What::Sql(sql)));
        let mut first = None;
        if opening.is_none() {
            match self.pool.lease_or_ride(sql, params, &self.limits).await? {
                Told::Lease(lease) => first = Some(lease),
                Told::Answer(carried) => {
                    return carried.observed(call).map(|block| (Fetch::Whole(block), None));
                }
                Told::Alone => {}
            }
        }
        let work = |mut lease: Lease| async move {
            let fetched = match opening {
                None => lease.query_first(sql, read, most).await,
                Some(opening) => {
                    let opening = Opening { sql: opening, end: self.end_of_statement() };
                    lease.query_within(opening, sql, read, most).await
                }
            };
            (fetched, lease)
        };
        let (fetched, lease) = self.on_lease_of(&mut call, first, work).await?;
        Ok((fetched, Some(lease)))
    }

    /// Takes a lease on a session and begins a transaction on it. Dropping the future gives the session back.
    ///
    /// # Errors
    /// `usage` for too many retries; `timeout`, `connection`, and what the server says.
    pub async fn begin(&self, options: TransactionOptions) -> Result<Transaction, PgError> {
        options.check()?;
        let opening = self.opening(options);
        let ((), lease) = self.on_lease(Some(What::Transaction), command(&opening)).await?;
        Ok(Transaction::new(lease, self, opening, options.retries))
    }

    /// Takes a session and gives it back, as every call does around its work: for measurements. Nothing is sent.
    ///
    /// # Errors
    /// As of any call that gets no session.
    #[doc(hidden)]
    pub async fn checkout(&self) -> Result<(), PgError> {
        self.pool.lease().await.map(drop)
    }

    /// Asks the server for an answer.
    pub(crate) async fn check(&self) -> Result<(), PgError> {
        self.on_lease(None, command("")).await.map(|_| ())
    }

    /// The first work on a lease, and the lease. A session that turns out dead before anything was sent is replaced
    /// once. `what` is observed until the lease goes back.
    pub(crate) async fn on_lease<T, F>(
        &self,
        what: Option<What<'_>>,
        work: impl Fn(Lease) -> F,
    ) -> Result<(T, Lease), PgError>
    where
        F: Future<Output = (Result<T, PgError>, Lease)>,
    {
        let mut call = what.map(|what| self.observer.begin(what));
        self.on_lease_of(&mut call, None, work).await
    }

    /// The same for a call that is being observed, which may have got its first lease.
    async fn on_lease_of<T, F>(
        &self,
        call: &mut Option<Observation>,
        mut first: Option<Lease>,
        work: impl Fn(Lease) -> F,
    ) -> Result<(T, Lease), PgError>
    where
        F: Future<Output = (Result<T, PgError>, Lease)>,
    {
        let mut replaced = false;
        loop {
            let mut lease = match first.take() {
                Some(lease) => lease,
                None => self.pool.lease().await?,
            };
            lease.observe(call.take());
            let written = lease.written();
            let (result, mut lease) = self.limits.bound(async { Ok(work(lease).await) }).await?;
            if replaced || !lease.died_unsent(written, &result) {
                return result.map(|value| (value, lease));
            }
            replaced = true;
            *call = lease.observation().take();
            self.pool.replace(lease);
        }
    }
}

/// A command of the host's own as work on a lease.
fn command<'a>(sql: &'a str) -> impl Fn(Lease) -> BoxFuture<'a, (Result<(), PgError>, Lease)> {
    move |mut lease| Box::pin(async move { (lease.command(sql).await, lease) })
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("limits", &self.limits).finish_non_exhaustive()
    }
}
