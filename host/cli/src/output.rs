//! What people see: failures and the progress of long steps, on standard error.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use fasterapi_builder::Event;

use crate::exit::Failure;

/// Prints a failure as `error: …`; hint lines stand as they are.
pub(crate) fn failure(failure: &Failure) -> ExitCode {
    let text = failure.to_string();
    // A traceback goes first, as it is; the line that says what happened is marked.
    let (before, last) = split_message(&text);
    let mark = if io::stderr().is_terminal() { "\x1b[1;31merror\x1b[0m" } else { "error" };
    let _ = writeln!(io::stderr().lock(), "{before}{mark}: {last}");
    ExitCode::from(failure.code())
}

/// The traceback, if there is one, and the message behind it.
fn split_message(text: &str) -> (String, &str) {
    let message_start = text.starts_with("Traceback ").then(|| {
        let hints = text.rfind("\nhint: ").unwrap_or(text.len());
        text.get(..hints).and_then(|body| body.rfind('\n'))
    });
    match message_start.flatten().and_then(|end| text.split_at_checked(end + 1)) {
        Some((traceback, message)) => (traceback.to_owned(), message),
        None => (String::new(), text),
    }
}

/// Shows the steps of a build.
pub(crate) fn progress(event: Event<'_>) {
    let mut err = io::stderr().lock();
    let _ = match event {
        Event::Started(step) => writeln!(err, "  {step} …"),
        Event::Finished(step, time) => writeln!(err, "  {step}: done in {:.1} s", time.as_secs_f64()),
        Event::Notice(text) => writeln!(err, "  note: {text}"),
        _ => Ok(()),
    };
}

/// Prints a remark on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a line on standard output. A closed pipe is no failure of ours.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_comes_before_the_message() {
        let text = "Traceback (most recent call last):\n  File \"main.py\", line 1\nNameError: x\ncannot import\nhint: y";
        let (before, message) = split_message(text);
        assert!(before.ends_with("NameError: x\n"));
        assert_eq!(message, "cannot import\nhint: y");
        assert_eq!(split_message("port is taken\nhint: z").0, "");
    }
}
