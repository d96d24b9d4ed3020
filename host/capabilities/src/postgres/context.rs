//! What an instance carries of Postgres, and its bounds: what it holds open, what it waits for, what it lent.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fasterapi_bindings::postgres::types::{Error, ErrorKind};
use fasterapi_core::{DatabaseAlias, Origin};
use fasterapi_postgres::Database;
use fasterapi_telemetry::spans;
use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use super::{
    LentBody, PostgresCtxView, PostgresGrants,
    error::{own_error, refusal},
    grants::Values,
    held::{Place, Places},
    lent::Lent,
};

/// How much one instance may hold open: transactions, streams, copies, listeners, bodies that it lends.
const MAX_LEASES: usize = 8;

/// How many calls of one instance may wait beside each other.
const MAX_WAITING: usize = 64;

/// What an instance carries.
pub struct PostgresCtx {
    pub(super) grants: Arc<PostgresGrants>,
    places: Places,
    /// How many requests, or WebSockets, the instance serves at a time.
    at_once: usize,
    waiting: HashMap<u32, CancellationToken>,
    pub(super) lent: Lent,
    route: Arc<str>,
    values: HashMap<DatabaseAlias, Values>,
}

impl PostgresCtx {
    /// The context of an instance with these grants.
    #[must_use]
    pub fn new(grants: Arc<PostgresGrants>) -> Self {
        let route: Arc<str> = "*".into();
        let values = grants.values(&route, &HeaderMap::new());
        Self {
            grants,
            places: Places::default(),
            at_once: 1,
            waiting: HashMap::new(),
            lent: Lent::default(),
            route,
            values,
        }
    }

    /// Whether the instance holds what must not outlive a request, or is about to: a transaction, a stream, a copy, a
    /// listener.
    #[must_use]
    pub fn holds_leases(&self) -> bool {
        self.places.taken() > 0
    }

    /// The body that the guest lent under this number. Each is given once.
    pub fn take_lent(&mut self, number: u64) -> Option<LentBody> {
        self.lent.take(number)
    }

    /// Names the route that the instance serves from here on.
    pub fn bind(&mut self, route: Arc<str>) {
        self.route = route;
    }

    /// A request with these headers begins.
    pub fn begin_request(&mut self, headers: &HeaderMap) {
        self.at_once = 1;
        if !self.grants.terms.is_empty() {
            self.values = self.grants.values(&self.route, headers);
        }
    }

    /// From here on the instance serves up to `capacity` WebSockets at a time. With more than one, variables take no values from
    /// headers: whose would they be?
    pub fn begin_websockets(&mut self, capacity: usize) {
        self.begin_request(&HeaderMap::new());
        self.at_once = capacity;
    }

    /// A request is over: what it lent and no response named is given up.
    pub fn end_request(&mut self) {
        self.lent.clear();
    }

    /// Begins a call that `cancel` can end.
    pub(super) fn wait(&mut self, ticket: u32) -> Result<CancellationToken, Error> {
        let most = MAX_WAITING.saturating_mul(self.at_once);
        if self.waiting.len() >= most {
            return Err(usage(format!("more than {most} calls wait in this instance")));
        }
        if self.waiting.contains_key(&ticket) {
            return Err(usage(format!("the ticket {ticket} is in use")));
        }
        let token = CancellationToken::new();
        self.waiting.insert(ticket, token.clone());
        Ok(token)
    }

    pub(super) fn waited(&mut self, ticket: u32) {
        self.waiting.remove(&ticket);
    }

    pub(super) fn cancel(&self, ticket: u32) {
        if let Some(token) = self.waiting.get(&ticket) {
            token.cancel();
        }
    }
}

pub(super) fn usage(message: String) -> Error {
    spans::blame(Origin::Guest, None);
    own_error(ErrorKind::Usage, message)
}

/// A guest's time limit in milliseconds; 0 is none of its own.
pub(super) const fn millis(timeout: u32) -> Duration {
    match timeout {
        0 => Duration::MAX,
        millis => Duration::from_millis(millis as u64),
    }
}

impl PostgresCtxView<'_> {
    /// The database that the guest was granted as `alias`.
    pub(super) fn database(&self, alias: &str) -> Result<Database, Error> {
        let alias = DatabaseAlias::new(alias).map_err(|e| own_error(ErrorKind::Denied, e.to_string()))?;
        let grants = &self.ctx.grants;
        let database = grants.databases.database(&grants.tenant, &alias).map_err(refusal)?;
        let mut database = database.on_route(Arc::clone(&self.ctx.route));
        if let Some(terms) = grants.terms.get(&alias) {
            if let Some(limit) = terms.route_timeouts.get(&*self.ctx.route) {
                database = database.with_statement_timeout(*limit);
            }
            if let Some(values) = self.ctx.values.get(&alias) {
                database = database.with_variables(Arc::clone(values));
            }
        }
        Ok(database)
    }

    /// The same, for a call that takes a lease, and a place for that.
    pub(super) fn leasable(&self, alias: &str) -> Result<(Place, Database), Error> {
        let place = self.place()?;
        self.database(alias).map(|database| (place, database))
    }

    /// A place for something that the guest is to hold open.
    pub(super) fn place(&self) -> Result<Place, Error> {
        let most = MAX_LEASES.saturating_mul(self.ctx.at_once);
        if self.ctx.places.taken() + self.ctx.lent.len() < most {
            return Ok(self.ctx.places.take());
        }
        let what = "transactions, streams, copies, listeners and lent bodies";
        Err(usage(format!("more than {most} {what} are open in this instance")))
    }
}
