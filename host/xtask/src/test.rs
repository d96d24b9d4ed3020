//! `cargo xtask test`: everything that must hold before a change lands.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::{guests, lint, python, setup, shell, show, wheel};

/// Tests counted over all runners.
#[derive(Default, Debug, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs every part even after one failed, then says what failed.
pub(crate) fn run() -> Result<ExitCode> {
    let builder = setup::builder()?;
    let postgres = setup::postgres()?;
    setup::postgres_with_tls()?;
    setup::firewall()?;
    let mut count = Count::default();
    let mut rust = shell::cargo(["test", "--workspace", "--no-fail-fast"]);
    if let Some(folder) = &postgres {
        rust.env("FASTERAPI_PG_BIN", folder);
    }
    let parts = [
        ("guests", guests::build_all(&builder)),
        ("rust tests", counted(&mut rust, &mut count)),
        ("python tests", sdk(postgres.as_deref(), &mut count)),
        ("wheels", wheel::run()),
        ("lint", lint::run()),
    ];
    let failures: Vec<_> =
        parts.iter().filter_map(|(name, done)| Some((name, done.as_ref().err()?))).collect();
    for (name, error) in &failures {
        show::line(&format!("FAILED {name}: {error:#}"));
    }
    show::line(&format!("{} passed, {} failed", count.passed, count.failed));
    let green = failures.is_empty() && count.failed == 0 && count.passed > 0;
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sdk(postgres: Option<&Path>, count: &mut Count) -> Result<()> {
    let [mut types, mut tests] = python::commands(postgres)?;
    shell::run(&mut types)?;
    counted(&mut tests, count)
}

/// Runs a test runner, shows its output, and adds up what it says of its tests.
fn counted(command: &mut Command, count: &mut Count) -> Result<()> {
    let line = shell::describe(command);
    show::heading(&line);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{line}`"))?;
    let output = child.stdout.take().context("the output is not piped")?;
    for text in BufReader::new(output).split(b'\n') {
        let text = text?;
        let text = String::from_utf8_lossy(&text);
        show::line(&text);
        count.read(&text);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

impl Count {
    /// libtest: `test result: ok. 3 passed; 0 failed; …`. pytest: `=== 1 failed, 3 passed in 0.1s ===`.
    fn read(&mut self, line: &str) {
        let libtest = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "));
        let pytest = || {
            line.starts_with("==").then(|| line.trim_matches(['=', ' '])).filter(|text| text.contains(" in "))
        };
        let Some(numbers) = libtest.map(|(_, rest)| rest).or_else(pytest) else { return };
        for part in numbers.split(['.', ';', ',']) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed" | "error" | "errors") => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::default();
        lines.iter().for_each(|line| count.read(line));
        count
    }

    #[test]
    fn both_runners_are_read() {
        let lines = [
            "test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "======= 1 failed, 7 passed, 2 skipped in 0.12s =======",
            "=================== 2 passed, 1 error in 1.02s ===================",
        ];
        assert_eq!(count(&lines), Count { passed: 24, failed: 5 });
    }

    #[test]
    fn other_lines_are_not() {
        let lines = [
            "test passed_tests ... ok",
            "12 passed through",
            "==== test session starts ====",
            "running 3 tests",
        ];
        assert_eq!(count(&lines), Count::default());
    }
}
