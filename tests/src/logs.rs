//! The records that hosts of this process write to their log.

use std::{fmt::Write, sync::LazyLock};

use parking_lot::Mutex;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{self, Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*, registry::LookupSpan};

static RECORDS: LazyLock<Mutex<Vec<Record>>> = LazyLock::new(Mutex::default);

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its severity.
    pub level: Level,
    /// Its target: `app` for what an app prints.
    pub target: String,
    /// Its message, then its fields as ` name=value`.
    pub text: String,
    /// The spans that it stands in, outermost first: each its name, then its fields in the same way, then `;`.
    pub spans: String,
}

/// Starts the capture, at the first call.
pub fn capture() {
    static STARTED: LazyLock<()> = LazyLock::new(|| {
        let filter = tracing_subscriber::filter::filter_fn(|meta| {
            let ours = meta.target() == "app" || meta.target().starts_with("fasterapi");
            ours && *meta.level() <= Level::INFO
        });
        tracing_subscriber::registry().with(Capture.with_filter(filter)).init();
    });
    LazyLock::force(&STARTED);
}

/// The records with `part` in them: tests give each thing they do a name of its own.
#[must_use]
pub fn with(part: &str) -> Vec<Record> {
    RECORDS.lock().iter().filter(|record| record.text.contains(part)).cloned().collect()
}

/// Whether there is such a record.
#[must_use]
pub fn have(part: &str) -> bool {
    RECORDS.lock().iter().any(|record| record.text.contains(part))
}

/// A name that no other test has.
#[must_use]
pub fn token(what: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{what}-{number}-token")
}

struct Capture;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        context.span(id).unwrap().extensions_mut().insert(text);
    }

    fn on_record(&self, id: &Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(text) = context.span(id).unwrap().extensions_mut().get_mut::<Text>() {
            values.record(text);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let around = context.event_scope(event).into_iter().flat_map(|spans| spans.from_root());
        let spans = around.filter_map(|span| Some(format!("{};", span.extensions().get::<Text>()?.0)));
        let (meta, spans) = (event.metadata(), spans.collect());
        let (level, target) = (*meta.level(), meta.target().to_owned());
        RECORDS.lock().push(Record { level, target, text: text.0, spans });
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}
