//! Running the programs that a build is made of.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};

use crate::{BuildError, Event, Progress};

const KEPT_LINES: usize = 60;
const LONGEST_LINE: u64 = 64 << 10;

/// How a program ended.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    /// The last lines of what it printed, standard output and error as they came.
    pub(crate) tail: String,
}

impl Outcome {
    /// The end of the output as an error unless the program succeeded.
    pub(crate) fn success(self, what: &str) -> Result<String, BuildError> {
        if self.status.success() {
            return Ok(self.tail);
        }
        Err(BuildError::Tool { what: what.to_owned(), output: self.tail })
    }
}

/// Runs `command` to its end without input, showing every line it prints.
pub(crate) fn run(command: &mut Command, progress: &dyn Progress) -> Result<Outcome, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| BuildError::Io { action: "run", path: program.clone().into(), source };
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command still holds this process's ends of the pipe, which would never close.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let tail = follow(reader, progress);
    let status = child.wait().map_err(failed)?;
    Ok(Outcome { status, tail })
}

fn follow(reader: impl Read, progress: &dyn Progress) -> String {
    let mut reader = BufReader::new(reader);
    let mut kept: VecDeque<String> = VecDeque::new();
    let mut line = Vec::new();
    while matches!(reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        progress.report(Event::Line(&text));
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
        line.clear();
    }
    Vec::from(kept).join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn lines_are_shown_and_the_last_ones_kept() {
        let seen = Mutex::new(0);
        let count = |event: Event<'_>| {
            if matches!(event, Event::Line(_)) {
                *seen.lock().unwrap() += 1;
            }
        };
        let mut command = Command::new("sh");
        command.args(["-c", "for i in $(seq 100); do echo $i; done; echo end >&2; exit 3"]);
        let outcome = run(&mut command, &count).unwrap();
        assert_eq!(outcome.status.code(), Some(3));
        assert_eq!(*seen.lock().unwrap(), 101);
        assert!(outcome.tail.ends_with("100\nend"));
        assert!(!outcome.tail.starts_with("1\n"));
        assert!(outcome.success("the loop").is_err());
    }
}
