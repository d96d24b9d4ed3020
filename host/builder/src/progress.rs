//! How a long build tells what it is doing.

use std::time::{Duration, Instant};

/// Something worth showing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step that may take seconds or minutes has begun.
    Started(&'a str),
    /// A line of output from the running step.
    Line(&'a str),
    /// The step is done; nothing is sent for one that failed.
    Finished(&'a str, Duration),
    /// Something the user should know although nothing failed.
    Notice(&'a str),
}

/// Receives events; every `Fn(Event)` is one. Called from any thread, and expected to return at once.
pub trait Progress: Sync {
    /// Takes one event.
    fn report(&self, event: Event<'_>);
}

impl<F: Fn(Event<'_>) + Sync> Progress for F {
    fn report(&self, event: Event<'_>) {
        self(event);
    }
}

/// Runs `work` as one step.
pub(crate) fn step<T, E>(
    progress: &dyn Progress,
    name: &str,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let start = Instant::now();
    progress.report(Event::Started(name));
    let value = work()?;
    progress.report(Event::Finished(name, start.elapsed()));
    Ok(value)
}
