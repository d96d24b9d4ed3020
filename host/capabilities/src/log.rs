//! What an app prints, into the host's log: standard output line by line, and of standard error what was written at
//! once as one record, so that a traceback stays whole.
//!
//! Standard output becomes `INFO`, standard error `WARN`, or the level that a line begins with as systemd has it
//! (`<3>` is an error: sd-daemon(3)), under the target `app`, with the app's name and the route and request that the
//! instance serves. A line is cut at [`LINE_LIMIT`], and a record of several lines goes
//! out before it exceeds that: an app can not fill the host's memory. Nor can it forge a record: control characters
//! are escaped, and the further lines of a record are indented.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// Bytes of one line that are kept, and of one record.
pub const LINE_LIMIT: usize = 16 * 1024;
const WRITE_CREDIT: usize = 64 * 1024;

/// Which of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Whose output it is, for the fields of each log record. Shared by an instance and its streams.
#[derive(Debug)]
pub struct Source {
    app: Arc<str>,
    route: Mutex<Arc<str>>,
    request: AtomicU64,
}

impl Source {
    /// The output of an instance of `app` that serves no route yet.
    #[must_use]
    pub fn new(app: Arc<str>) -> Arc<Self> {
        Arc::new(Self { app, route: Mutex::new("-".into()), request: AtomicU64::new(0) })
    }

    /// From here on the instance serves `route`.
    pub fn bind(&self, route: Arc<str>) {
        *self.route.lock() = route;
    }

    /// From here on the instance serves the request with this number.
    pub fn serve(&self, request: u64) {
        self.request.store(request, Ordering::Relaxed);
    }

    fn record(&self, level: Level, line: &str) {
        let route = Arc::clone(&self.route.lock());
        let request = self.request.load(Ordering::Relaxed);
        // It has these fields whatever the span says, and would show them twice.
        macro_rules! record {
            ($level:expr) => {
                tracing::event!(target: "app", parent: None, $level, app = %self.app, %route, request, "{line}")
            };
        }
        match level {
            Level::ERROR => record!(Level::ERROR),
            Level::WARN => record!(Level::WARN),
            Level::INFO => record!(Level::INFO),
            _ => record!(Level::DEBUG),
        }
    }
}

/// One standard stream of an instance.
#[derive(Clone)]
pub struct LogStream {
    source: Arc<Source>,
    stream: Stream,
    written: Arc<Mutex<Written>>,
}

/// What was written and is not in the log yet.
#[derive(Default)]
struct Written {
    /// Whole lines, printable.
    lines: String,
    /// What the record that they belong to says of its level.
    level: Option<Level>,
    /// The line that has not ended.
    line: Vec<u8>,
}

impl LogStream {
    /// The stream `stream` of the instance behind `source`.
    #[must_use]
    pub fn new(source: Arc<Source>, stream: Stream) -> Self {
        Self { source, stream, written: Arc::default() }
    }

    fn push(&self, bytes: &[u8]) {
        let mut written = self.written.lock();
        let Written { lines, level, line } = &mut *written;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LINE_LIMIT.saturating_sub(line.len());
            line.extend(text.iter().take(room));
            if ended {
                self.end_line(lines, level, &printable(line));
                line.clear();
            }
        }
        // A long write comes in pieces: one that ends inside a line goes on.
        if line.is_empty() {
            self.record(lines, *level);
            *level = None;
        }
    }

    fn end_line(&self, lines: &mut String, level: &mut Option<Level>, line: &str) {
        let (said, line) = if self.stream == Stream::Error { said_level(line) } else { (None, line) };
        if said.is_some() || lines.len() + line.len() > LINE_LIMIT {
            self.record(lines, *level);
        }
        *level = said.or(*level);
        if !lines.is_empty() {
            lines.push_str("\n  ");
        }
        lines.push_str(line);
        if self.stream == Stream::Output {
            self.record(lines, None);
        }
    }

    fn record(&self, lines: &mut String, level: Option<Level>) {
        if !lines.is_empty() {
            let usual = if self.stream == Stream::Output { Level::INFO } else { Level::WARN };
            self.source.record(level.unwrap_or(usual), lines);
            lines.clear();
        }
    }
}

/// The level that a line begins with, and the rest of it.
fn said_level(line: &str) -> (Option<Level>, &str) {
    let Some((number, rest)) = line.strip_prefix('<').and_then(|line| line.split_once('>')) else {
        return (None, line);
    };
    match number {
        "0" | "1" | "2" | "3" => (Some(Level::ERROR), rest),
        "4" => (Some(Level::WARN), rest),
        "5" | "6" => (Some(Level::INFO), rest),
        "7" => (Some(Level::DEBUG), rest),
        _ => (None, line),
    }
}

fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    if !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    let escape =
        |c: char| if c.is_control() && c != '\t' { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escape).collect::<String>()
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_CREDIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_forge_another() {
        assert_eq!(printable(b"a\x1b[31m\rb\r"), "a\\u{1b}[31m\\rb");
        assert_eq!(printable("tab\there, ümläut".as_bytes()), "tab\there, ümläut");
    }

    #[test]
    fn a_line_is_bounded() {
        let stream = LogStream::new(Source::new("app".into()), Stream::Output);
        for _ in 0..100 {
            stream.push(&[b'x'; 1024]);
        }
        assert_eq!(stream.written.lock().line.len(), LINE_LIMIT);
        stream.push(b"\n");
        assert!(stream.written.lock().line.is_empty());
    }

    #[test]
    fn a_write_to_standard_error_is_one_record_of_bounded_length() {
        let stream = LogStream::new(Source::new("app".into()), Stream::Error);
        stream.push(b"Traceback:\n\n\x1b file\n  li");
        assert_eq!(stream.written.lock().lines, "Traceback:\n  \n  \\u{1b} file");
        stream.push(b"ne 1\n");
        assert!(stream.written.lock().lines.is_empty(), "it is in the log");
        for _ in 0..100 {
            stream.push(&[&[b'x'; 1024][..], b"\nx"].concat());
            assert!(stream.written.lock().lines.len() <= LINE_LIMIT + 3);
        }
        assert_eq!(said_level("<3>failed"), (Some(Level::ERROR), "failed"));
        assert_eq!(said_level("<html>"), (None, "<html>"));
        stream.push(b"\n<3>one\n  two\n<6>th");
        {
            let written = stream.written.lock();
            assert_eq!((written.level, &*written.lines), (Some(Level::ERROR), "one\n    two"));
        }
        stream.push(b"ree\n");
        assert_eq!(stream.written.lock().level, None);
        let lines = LogStream::new(Source::new("app".into()), Stream::Output);
        lines.push(b"one\ntwo\nthr");
        assert!(lines.written.lock().lines.is_empty());
    }
}
