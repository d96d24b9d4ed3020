//! Errors on their way to a guest.

use fasterapi_bindings::postgres::types::{Error, ErrorKind};
use fasterapi_postgres::{PgError, PgErrorKind};
use fasterapi_telemetry::spans;

pub(super) fn own_error(kind: ErrorKind, message: String) -> Error {
    Error {
        kind,
        message,
        sqlstate: None,
        severity: None,
        detail: None,
        hint: None,
        schema: None,
        table: None,
        column: None,
        data_type: None,
        constraint: None,
        position: None,
        retryable: false,
    }
}

/// The one table of Postgres errors to the guest's. What only the operator may see goes to the log here, and whose
/// doing it is to the request's span.
pub(super) fn refusal(error: PgError) -> Error {
    if let Some(reason) = error.operator() {
        tracing::warn!(reason, "postgres: {error}");
    }
    let sqlstate = error.report.as_ref().map(|report| report.sqlstate.as_str());
    spans::blame(error.origin(), sqlstate.filter(|state| !state.is_empty()));
    let kind = match error.kind {
        PgErrorKind::Connection => ErrorKind::Connection,
        PgErrorKind::Timeout => ErrorKind::Timeout,
        PgErrorKind::Canceled => ErrorKind::Canceled,
        PgErrorKind::Usage => ErrorKind::Usage,
        PgErrorKind::Denied => ErrorKind::Denied,
        PgErrorKind::TooLarge => ErrorKind::TooLarge,
        _ => ErrorKind::Database,
    };
    let plain = Error { retryable: error.retryable, ..own_error(kind, error.message) };
    let Some(report) = error.report else { return plain };
    let report = *report;
    Error {
        sqlstate: Some(report.sqlstate).filter(|state| !state.is_empty()),
        severity: Some(report.severity).filter(|severity| !severity.is_empty()),
        detail: report.detail,
        hint: report.hint,
        schema: report.schema,
        table: report.table,
        column: report.column,
        data_type: report.data_type,
        constraint: report.constraint,
        position: report.position,
        ..plain
    }
}
