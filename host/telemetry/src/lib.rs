//! What the host says of itself: its log, to standard error, and the spans that its records stand in.

pub mod spans;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The form of log records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people, coloured on a terminal.
    #[default]
    Text,
    /// A JSON object on a line.
    Json,
}

/// Starts the log. `filter` is in the syntax of `RUST_LOG`, such as `info,app=warn`: records of apps have the target
/// `app`. A second call does nothing, so that tests may share a process.
///
/// # Errors
/// When `filter` is not of that syntax. The text names the part at fault.
pub fn start(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter `{filter}`: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    // Only "already started" can fail here, and that is as good.
    drop(started);
    Ok(())
}
