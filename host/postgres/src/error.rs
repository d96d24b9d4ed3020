//! What can go wrong, in the words of `fasterapi:postgres`.
//!
//! A [`PgError`] is made to be handed to a guest as it is: its message names no address, no user, no credential
//! and never holds the driver's own text. What only the operator may see (which address refused, what the server
//! said to the log-in) stands apart in [`PgError::operator`].

use std::{borrow::Cow, fmt, io::ErrorKind};

use fasterapi_core::Origin;
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

use crate::{foreign::Inserted, tls};

/// What kind of failure an error is. Each kind blames one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PgErrorKind {
    /// No connection could be had, or it broke. The statement may or may not have run.
    Connection,
    /// A wait ended at its deadline: for a session, or for the statement itself.
    Timeout,
    /// The statement was cancelled on request.
    Canceled,
    /// The server refused the statement: its report says why.
    Database,
    /// The call was wrong before anything of it was sent.
    Usage,
    /// There is no grant for what was named.
    Denied,
    /// The result is over the limit for one block. Nothing of it was delivered.
    TooLarge,
}

/// A failure of this crate's run-time part, fit for a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PgError {
    /// What kind of failure this is.
    pub kind: PgErrorKind,
    /// One line, lower case, no full stop; the server's own words where the server was asked.
    pub message: String,
    /// Whether the same call may succeed when it is made again (within a transaction: the whole transaction).
    pub retryable: bool,
    /// What the server said, when it was asked; or only a hint of the host's, with nothing else in it.
    pub report: Option<Box<ServerReport>>,
    operator: Option<Box<str>>,
    stale: bool,
    altered: bool,
    misfit: bool,
}

/// The fields of the server's error response.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// The five characters of the SQLSTATE; empty when the server was not asked.
    pub sqlstate: String,
    /// `ERROR`, `FATAL` or `PANIC`; empty when the server was not asked.
    pub severity: String,
    /// More about the failure, often with the values at fault.
    pub detail: Option<String>,
    /// What to do about it, from the server or from the host.
    pub hint: Option<String>,
    /// The schema of the object at fault.
    pub schema: Option<String>,
    /// The table at fault.
    pub table: Option<String>,
    /// The column at fault.
    pub column: Option<String>,
    /// The data type at fault.
    pub data_type: Option<String>,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// 1-based character position in the statement.
    pub position: Option<u32>,
    /// Where the server stood: the calls it was in, the line of a COPY's data.
    pub context: Option<String>,
}

impl PgError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::plain(PgErrorKind::Usage, message, false)
    }

    /// A usage error with advice.
    pub(crate) fn usage_hint(message: impl Into<String>, hint: &str) -> Self {
        let report = ServerReport { hint: Some(hint.into()), ..ServerReport::default() };
        Self { report: Some(Box::new(report)), ..Self::usage(message) }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::plain(PgErrorKind::Denied, message, false)
    }

    /// Of a call that whoever made it gave up.
    #[must_use]
    pub fn canceled() -> Self {
        Self::plain(PgErrorKind::Canceled, "the call was cancelled", false)
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::plain(PgErrorKind::Timeout, message, true)
    }

    /// A statement that was cancelled at its deadline: the server ends it with this SQLSTATE, whose error nobody waits for.
    pub(crate) fn overdue(message: impl Into<String>) -> Self {
        let report =
            ServerReport { sqlstate: "57014".into(), severity: "ERROR".into(), ..Default::default() };
        Self { report: Some(Box::new(report)), ..Self::timeout(message) }
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the result is over the limit of {limit} bytes for one block");
        Self::plain(PgErrorKind::TooLarge, message, false)
    }

    pub(crate) fn connection(message: impl Into<String>) -> Self {
        Self::plain(PgErrorKind::Connection, message, true)
    }

    /// A failure to connect: the guest learns that, the operator why.
    pub(crate) fn unreachable(operator: impl Into<String>) -> Self {
        let error = Self::connection("no connection to the database server could be had");
        Self { operator: Some(operator.into().into_boxed_str()), ..error }
    }

    /// No session, for reasons that may name users and addresses: operator only.
    pub(crate) fn no_session(operator: String, sqlstate: Option<&str>) -> Self {
        let report = sqlstate.map(|state| ServerReport { sqlstate: state.into(), ..ServerReport::default() });
        Self { report: report.map(Box::new), ..Self::unreachable(operator) }
    }

    /// A failure that the server did not report, but would have with these words and SQLSTATE.
    pub(crate) fn database(sqlstate: &str, message: impl Into<String>) -> Self {
        let report =
            ServerReport { sqlstate: sqlstate.into(), severity: "ERROR".into(), ..Default::default() };
        let error = Self::plain(PgErrorKind::Database, message, false);
        Self { report: Some(Box::new(report)), ..error }
    }

    fn plain(kind: PgErrorKind, message: impl Into<String>, retryable: bool) -> Self {
        let message = message.into();
        Self {
            kind,
            message,
            retryable,
            report: None,
            operator: None,
            stale: false,
            altered: false,
            misfit: false,
        }
    }

    /// The SQLSTATE, when the server answered.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.report.as_ref().map(|report| report.sqlstate.as_str()).filter(|state| !state.is_empty())
    }

    /// What only the operator may see: the address and the reason of a failed connect. No credential.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.operator.as_deref()
    }

    /// Whom the failure is blamed on.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.kind {
            PgErrorKind::Connection | PgErrorKind::Timeout => Origin::Upstream,
            PgErrorKind::Canceled => Origin::Client,
            PgErrorKind::Database if self.sqlstate().is_some_and(is_server_fault) => Origin::Upstream,
            PgErrorKind::Database | PgErrorKind::Usage | PgErrorKind::Denied | PgErrorKind::TooLarge => {
                Origin::Guest
            }
        }
    }

    /// Whether the server gave the transaction up for the sake of others: serialization failure or deadlock. Nothing of
    /// it is done then, for certain.
    pub(crate) fn is_serialization_failure(&self) -> bool {
        self.kind == PgErrorKind::Database && matches!(self.sqlstate(), Some("40001" | "40P01"))
    }

    /// Adds to such a failure why the host did not replay the transaction.
    pub(crate) fn not_replayed(mut self, reason: &str) -> Self {
        self.message = format!("{}; not replayed: {reason}", self.message);
        self
    }

    /// Says which statement of a batch failed, and with which of its parameters if it has several. Counted from 0.
    pub(crate) fn of_item(mut self, item: usize, set: Option<usize>) -> Self {
        let set = set.map(|set| format!(", parameters {set}")).unwrap_or_default();
        self.message = format!("item {item}{set}: {}", self.message);
        self
    }

    /// Whether the error says that a kept statement is of no use any more: its result changed type, or the server has
    /// forgotten it. Both are found before anything of it runs.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// A failure to read a value whose type is not any more what the session took it for.
    pub(crate) fn altered(mut self) -> Self {
        self.altered = true;
        self
    }

    /// Whether what the session knows of types is out of date.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered
    }

    /// Of a parameter that does not fit its type.
    pub(crate) fn misfit(self) -> Self {
        Self { misfit: true, ..self }
    }

    /// Whether a parameter did not fit what the session takes for its type: nothing was sent.
    pub(crate) fn is_misfit(&self) -> bool {
        self.misfit
    }

    /// Whether the failure may be that a parameter has another type now than when its statement was prepared.
    pub(crate) fn blames_parameters(&self) -> bool {
        let found = |state: &&str| self.sqlstate() == Some(*state);
        self.misfit || ["22P02", "22P03", "22003", "22007", "22008", "42804", "42883"].iter().any(found)
    }

    /// With its position counted in the statement as the guest gave it.
    pub(crate) fn without(mut self, inserted: Inserted) -> Self {
        if let Some(report) = &mut self.report {
            report.position = report.position.and_then(|position| inserted.origin(position));
        }
        self
    }

    /// For the operator: what only he may see becomes the message.
    pub(crate) fn for_operator(mut self, database: &str) -> Self {
        let reason = self.operator.take().map_or_else(|| self.message.clone(), String::from);
        self.message = format!("postgres database `{database}`: {reason}");
        self
    }

    /// Of a COPY: where in its data the server stood becomes the detail, unless it gave another.
    pub(crate) fn with_line(mut self) -> Self {
        if let Some(report) = &mut self.report {
            report.detail = report.detail.take().or_else(|| report.context.take());
        }
        self
    }

    /// Adds to a failed COMMIT what the caller must know about it.
    pub(crate) fn outcome_unknown(mut self) -> Self {
        if matches!(self.kind, PgErrorKind::Connection | PgErrorKind::Timeout | PgErrorKind::Canceled) {
            self.message.push_str("; whether the server committed is unknown");
            self.retryable = false;
        }
        self
    }
}

impl From<tokio_postgres::Error> for PgError {
    /// Of an established session; for log-ins see [`log_in_text`].
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => from_server(db),
            None => Self::connection(driver_text(&error)),
        }
    }
}

/// The driver's failure in our words: its own Display and Debug stay inside.
fn driver_text(error: &tokio_postgres::Error) -> String {
    let io = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    match io {
        _ if error.is_closed() => "the connection to the database server was closed".into(),
        Some(io) => format!("the connection to the database server broke: {}", io.kind()),
        None => "the database server answered out of protocol".into(),
    }
}

/// What is said of a socket behind which something else listens.
pub(crate) const NO_SERVER: &str = "what answers there is no postgres server";

/// Why a log-in failed, for the operator: what the server said, or what the driver or TLS found.
pub(crate) fn log_in_text(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (sqlstate {})", shortened(db.message()), db.code().code());
    }
    let Some(source) = std::error::Error::source(error) else {
        return driver_text(error);
    };
    if let Some(io) = source.downcast_ref::<std::io::Error>() {
        // The tap breaks off what announces messages beyond reason.
        let babble = matches!(io.kind(), ErrorKind::FileTooLarge | ErrorKind::InvalidInput);
        return if babble { NO_SERVER.into() } else { tls::explain(io) };
    }
    match source.to_string().as_str() {
        "password missing" => {
            "the server asks for a password, and there is none for this host, database and user \
             (`password_file`, `passfile` or PGPASSWORD give one)"
                .into()
        }
        "server did not use channel binding" => {
            "the server's log-in is without channel binding, which channel_binding=require demands".into()
        }
        other => format!("the log-in failed: {}", shortened(other)),
    }
}

fn from_server(db: &DbError) -> PgError {
    let sqlstate = db.code().code();
    let severity = match db.parsed_severity() {
        Some(Severity::Fatal) => "FATAL",
        Some(Severity::Panic) => "PANIC",
        _ => "ERROR",
    };
    let text = |value: Option<&str>| value.map(|text| shortened(text).into_owned());
    let report = ServerReport {
        sqlstate: sqlstate.into(),
        severity: severity.into(),
        detail: text(db.detail()),
        hint: text(db.hint()),
        schema: text(db.schema()),
        table: text(db.table()),
        column: text(db.column()),
        data_type: text(db.datatype()),
        constraint: text(db.constraint()),
        position: match db.position() {
            Some(ErrorPosition::Original(at)) => Some(*at),
            _ => None,
        },
        context: text(db.where_()),
    };
    let kind = kind_of(sqlstate, severity);
    let stale = sqlstate == "26000" || db.routine() == Some("RevalidateCachedQuery");
    let error = PgError::plain(kind, shortened(db.message()), stale || is_retryable(kind, sqlstate));
    PgError { report: Some(Box::new(report)), stale, ..error }
}

/// The server repeats values in its messages, of any size.
fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 8 << 10;
    match text.get(..text.floor_char_boundary(MOST)) {
        Some(start) if start.len() < text.len() => format!("{start}…").into(),
        _ => text.into(),
    }
}

/// What ends the session is the connection's failure; what a statement meets on the way (a lost dblink, bytes that are
/// no binary value: both class 08) is its own.
fn kind_of(sqlstate: &str, severity: &str) -> PgErrorKind {
    match sqlstate {
        _ if severity != "ERROR" => PgErrorKind::Connection,
        "57014" => PgErrorKind::Canceled,
        _ => PgErrorKind::Database,
    }
}

/// Serialization failures, deadlocks, lock waits given up, resources that may be there again, and any lost session.
fn is_retryable(kind: PgErrorKind, sqlstate: &str) -> bool {
    let passes = matches!(sqlstate, "40001" | "40P01" | "55P03") || sqlstate.starts_with("53");
    kind == PgErrorKind::Connection || passes
}

/// Insufficient resources, operator intervention, system errors, corrupt data, internal errors.
fn is_server_fault(sqlstate: &str) -> bool {
    ["53", "57", "58", "XX"].iter().any(|class| sqlstate.starts_with(class))
}

impl fmt::Display for PgErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Database => "database",
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::TooLarge => "too large",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_its_kind_and_retry() {
        use PgErrorKind::{Canceled, Connection, Database};
        let cases = [
            ("40001", "ERROR", Database, true, Origin::Guest),
            ("40P01", "ERROR", Database, true, Origin::Guest),
            ("55P03", "ERROR", Database, true, Origin::Guest),
            ("23505", "ERROR", Database, false, Origin::Guest),
            ("42601", "ERROR", Database, false, Origin::Guest),
            ("08P01", "ERROR", Database, false, Origin::Guest),
            ("53100", "ERROR", Database, true, Origin::Upstream),
            ("XX000", "ERROR", Database, false, Origin::Upstream),
            ("57014", "ERROR", Canceled, false, Origin::Client),
            ("57P01", "FATAL", Connection, true, Origin::Upstream),
            ("25P03", "FATAL", Connection, true, Origin::Upstream),
            ("XX000", "PANIC", Connection, true, Origin::Upstream),
        ];
        for (sqlstate, severity, kind, retryable, origin) in cases {
            let found = kind_of(sqlstate, severity);
            let error = PgError { kind: found, ..PgError::database(sqlstate, "x") };
            let all = (found, is_retryable(found, sqlstate), error.origin());
            assert_eq!(all, (kind, retryable, origin), "{sqlstate} {severity}");
        }
    }
}
