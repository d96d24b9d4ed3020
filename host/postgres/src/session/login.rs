//! Logging in at one address of a server, in the ways that `sslmode` allows.
//!
//! As in libpq: `allow` tries TLS when the server refuses a log-in without, `prefer` tries without when TLS fails or the
//! server refuses a log-in with it. A password that comes from a file is read for each attempt, and once more when the
//! server refuses it: it may have been rotated in between.

use std::sync::Arc;

use fasterapi_core::Secret;
use tokio_postgres::{Client, Connection};

use super::{
    Endpoint,
    endpoint::Address,
    route::{Blocked, Route},
    secure::{Bound, Terms},
    tap::{Seen, Tap},
    target,
    wire::Wire,
};
use crate::{
    ConfigError, DatabaseConfig,
    config::{Access, Target, Wanted},
    error::log_in_text,
    tls::Encryption,
};

/// What a message may have over the limit of a block: the server's binary form is about as long as ours.
const MESSAGE_SLACK: usize = 1 << 20;

pub(super) type Driven = Connection<Tap<Wire>, Bound<Tap<Wire>>>;

/// A connection that is logged in, and that nobody runs yet.
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) connection: Driven,
    pub(super) seen: Arc<Seen>,
    pub(super) route: Route,
}

/// Why there is none, for the operator.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) text: String,
    /// What the server refused with.
    pub(super) sqlstate: Option<String>,
    pub(super) stage: Stage,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No socket.
    Socket,
    /// No agreement on encryption.
    Tls,
    /// No log-in; whether it was encrypted.
    LogIn(bool),
    /// Logged in, and the server will not do.
    Target,
}

impl Failure {
    fn of(stage: Stage, text: impl Into<String>) -> Self {
        Self { text: text.into(), sqlstate: None, stage }
    }

    pub(super) fn socket(text: impl Into<String>) -> Self {
        Self::of(Stage::Socket, text)
    }

    pub(super) fn target(text: impl Into<String>) -> Self {
        Self::of(Stage::Target, text)
    }

    fn config(error: &ConfigError) -> Self {
        Self::of(Stage::LogIn(false), error.to_string())
    }

    fn blocked(blocked: Blocked) -> Self {
        match blocked {
            Blocked::Socket(text) => Self::of(Stage::Socket, text),
            Blocked::Tls(text) => Self::of(Stage::Tls, text),
        }
    }

    pub(super) fn refused(encrypted: bool, error: &tokio_postgres::Error) -> Self {
        let sqlstate = error.code().map(|code| code.code().to_owned());
        Self { text: log_in_text(error), sqlstate, stage: Stage::LogIn(encrypted) }
    }

    /// Whether who asks was refused, not how or when.
    pub(super) fn is_authentication(&self) -> bool {
        self.sqlstate.as_ref().is_some_and(|state| state.starts_with("28"))
    }

    /// Whether another encryption than `tried` may do.
    fn leaves_hope(&self, tried: Encryption) -> bool {
        match self.stage {
            Stage::Tls => true,
            Stage::LogIn(encrypted) => {
                self.sqlstate.is_some() && (encrypted || tried != Encryption::IfOffered)
            }
            Stage::Socket | Stage::Target => false,
        }
    }
}

/// An attempt at one address.
pub(super) struct Attempt<'a> {
    pub(super) config: &'a DatabaseConfig,
    pub(super) endpoint: &'a Endpoint,
    pub(super) address: Address,
    pub(super) target: Target,
}

impl Attempt<'_> {
    fn access(&self) -> &Arc<Access> {
        &self.config.access
    }

    /// Tries each way in turn. The caller sets the deadline.
    pub(super) async fn run(&self) -> Result<Opened, Failure> {
        let mut earlier: Option<Failure> = None;
        for &way in self.access().tls.ways(self.endpoint.is_local()) {
            let mut opened = match self.log_in(way).await {
                Ok(opened) => opened,
                Err(failure) => {
                    let goes_on = failure.leaves_hope(way);
                    earlier = Some(both(earlier, failure));
                    if goes_on { continue } else { break }
                }
            };
            target::check(self.target, &mut opened).await?;
            return Ok(opened);
        }
        Err(earlier.unwrap_or_else(|| Failure::socket("there is no way to log in")))
    }

    async fn log_in(&self, encryption: Encryption) -> Result<Opened, Failure> {
        let route = Route {
            endpoint: self.endpoint.clone(),
            address: self.address.clone(),
            terms: self.terms(encryption).await?,
        };
        let password = self.password().await?;
        let refused = match self.log_in_with(&route, password.as_ref()).await {
            Err(failure) if failure.is_authentication() && self.access().password.may_change() => failure,
            other => return other,
        };
        match self.password().await? {
            newer if newer == password => Err(refused),
            newer => self.log_in_with(&route, newer.as_ref()).await,
        }
    }

    async fn log_in_with(&self, route: &Route, password: Option<&Secret>) -> Result<Opened, Failure> {
        let agreed = route.open().await.map_err(Failure::blocked)?;
        let encrypted = agreed.is_encrypted();
        let tap = Tap::new(agreed.wire, self.config.limits.max_result_bytes.saturating_add(MESSAGE_SLACK));
        let seen = tap.seen();
        let mut driver = self.config.driver.clone();
        if let Some(password) = password {
            driver.password(password.expose());
        }
        let connected = driver.connect_raw(tap, agreed.secured.answering(self.access().ways)).await;
        let (client, connection) = connected.map_err(|error| Failure::refused(encrypted, &error))?;
        Ok(Opened { client, connection, seen, route: route.clone().settled(encrypted) })
    }

    async fn terms(&self, encryption: Encryption) -> Result<Terms, Failure> {
        let tls = &self.access().tls;
        let client = match encryption {
            Encryption::None => None,
            Encryption::IfOffered | Encryption::Required => {
                let tls = Arc::clone(tls);
                Some(off_worker(move || tls.client()).await?)
            }
        };
        Ok(Terms { encryption, direct: tls.is_direct(), client })
    }

    async fn password(&self) -> Result<Option<Secret>, Failure> {
        let (access, host, port) = (Arc::clone(self.access()), self.endpoint.host(), self.endpoint.port());
        let is_in_file = access.password.may_change();
        let read = move || {
            let (database, user) = (access.database.as_str(), access.user.as_str());
            access.password.read(Wanted { host: &host, port, database, user })
        };
        match is_in_file {
            true => off_worker(read).await,
            false => read().map_err(|error| Failure::config(&error)),
        }
    }
}

/// Files are looked at where that may take its time.
async fn off_worker<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConfigError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Failure::config(&error)),
        Err(_) => Err(Failure::socket("the host is shutting down")),
    }
}

/// Two failures of one address as one.
fn both(earlier: Option<Failure>, later: Failure) -> Failure {
    let Some(earlier) = earlier else { return later };
    let text = format!("{}; then {}: {}", earlier.text, other_way(later.stage), later.text);
    Failure { text, ..later }
}

fn other_way(stage: Stage) -> &'static str {
    match stage {
        Stage::LogIn(false) | Stage::Socket => "without TLS",
        Stage::Tls | Stage::LogIn(true) | Stage::Target => "with TLS",
    }
}
