//! A [`PgError`] as the record `error` of `fasterapi:postgres`.

use fasterapi_postgres::{PgError, PgErrorKind};

use crate::wire::Frame;

/// The frame of a failed call. What only the operator may see goes to the log here.
pub(crate) fn frame(error: PgError) -> Frame {
    if let Some(reason) = error.operator() {
        tracing::warn!(reason, "postgres: {error}");
    }
    let report = error.report.map(|report| *report).unwrap_or_default();
    let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
    let filled = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    let position = report.position.map(|at| at.to_le_bytes().to_vec());
    let fields = [
        filled(kind(error.kind)),
        Some(error.message.into_bytes()),
        filled(&report.sqlstate),
        filled(&report.severity),
        bytes(&report.detail),
        bytes(&report.hint),
        bytes(&report.schema),
        bytes(&report.table),
        bytes(&report.column),
        bytes(&report.data_type),
        bytes(&report.constraint),
        position,
        error.retryable.then(Vec::new),
    ];
    fields.iter().fold(Frame::new(1), |frame, field| frame.with(field.as_deref()))
}

const fn kind(kind: PgErrorKind) -> &'static str {
    match kind {
        PgErrorKind::Connection => "connection",
        PgErrorKind::Timeout => "timeout",
        PgErrorKind::Canceled => "canceled",
        PgErrorKind::Usage => "usage",
        PgErrorKind::Denied => "denied",
        PgErrorKind::TooLarge => "too-large",
        _ => "database",
    }
}
