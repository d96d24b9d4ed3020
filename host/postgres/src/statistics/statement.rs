//! The counts of one form of a statement on one route.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Moved, StatementReport, histogram::Histogram};

pub(super) struct Statement {
    pub(super) route: Arc<str>,
    pub(super) form: Box<str>,
    times: Histogram,
    waits: Histogram,
    failed: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    rows: AtomicU64,
    parsed: AtomicU64,
    retries: AtomicU64,
    replays: AtomicU64,
}

impl Statement {
    pub(super) fn new(route: Arc<str>, form: Box<str>) -> Self {
        Self {
            route,
            form,
            times: Histogram::default(),
            waits: Histogram::default(),
            failed: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            parsed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            replays: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, took: Duration, waited: Duration, moved: Moved, failed: bool) {
        self.times.add(took);
        self.waits.add(waited);
        for (count, more) in [
            (&self.failed, failed.into()),
            (&self.sent, moved.sent),
            (&self.received, moved.received),
            (&self.rows, moved.rows),
            (&self.parsed, moved.parsed),
        ] {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn replayed(&self) {
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn report(&self) -> StatementReport {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StatementReport {
            route: self.route.to_string(),
            statement: self.form.to_string(),
            micros: self.times.report(),
            waited_micros: self.waits.report(),
            failed: count(&self.failed),
            sent_bytes: count(&self.sent),
            received_bytes: count(&self.received),
            rows: count(&self.rows),
            parsed: count(&self.parsed),
            retries: count(&self.retries),
            replays: count(&self.replays),
        }
    }
}
