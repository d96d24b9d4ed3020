//! `fasterapi-host pg status`.

use std::{
    cmp::Reverse,
    fmt::Write as _,
    fs,
    io::{self, Read},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use fasterapi_postgres::{PoolStatus, StatementReport};

use super::{DatabaseReport, Report, folder};
use crate::{args::StatusArgs, exit::Failure, output};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks every server of this user's and shows what it says.
pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let mut reports = Vec::new();
    let folder = folder()?;
    for entry in fs::read_dir(&folder).map_err(Failure::other)?.flatten() {
        match ask(&entry.path()) {
            Ok(text) => reports.extend(serde_json::from_str::<Report>(&text).ok()),
            // Its server is gone without a word.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let _ = fs::remove_file(entry.path());
            }
            Err(error) => output::note(&format!("{}: {error}", entry.path().display())),
        }
    }
    if args.json {
        output::line(serde_json::to_string_pretty(&reports).map_err(Failure::other)?);
        return Ok(());
    }
    if reports.is_empty() {
        output::note("no server of this user runs");
    }
    reports.sort_by_key(|report| report.pid);
    reports.iter().for_each(|report| output::line(text(report, args.top).trim_end()));
    Ok(())
}

fn ask(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn text(report: &Report, top: usize) -> String {
    let mut text = format!("{} on {} (pid {})\n", report.component, report.address, report.pid);
    if report.databases.is_empty() {
        text.push_str("  it has no database\n");
    }
    for database in &report.databases {
        text.push_str(&of_database(database, top));
    }
    text
}

fn of_database(database: &DatabaseReport, top: usize) -> String {
    let DatabaseReport { tenant, database, pool, statements } = database;
    let PoolStatus { size, max_size, idle, leased, opening, waiting, totals, .. } = pool;
    let failing = if pool.failing { "; the server cannot be reached" } else { "" };
    let mut text = format!(
        "  database `{database}` of tenant `{tenant}`: {size} of {max_size} sessions ({idle} idle, {leased} in use, \
         {opening} opening), {waiting} calls wait{failing}\n  since the start: {} sessions opened, {} attempts failed; \
         {} calls had to wait, {} of them in vain; {} refused; {} shared a session\n",
        totals.opened, totals.failures, totals.waits, totals.timeouts, totals.refused, totals.ridden,
    );
    if statements.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}  route: statement",
        "calls", "total", "p50 <=", "p99 <=", "wait p99", "rows", "bytes", "parsed", "failed"
    );
    let mut longest: Vec<_> = statements.iter().collect();
    longest.sort_by_key(|statement| Reverse(statement.micros.total));
    longest.iter().take(top).for_each(|statement| text.push_str(&of_statement(statement)));
    if let Some(more @ 1..) = statements.len().checked_sub(top) {
        let _ =
            writeln!(text, "  and {more} more: `--top {}` shows them, `--json` shows all", statements.len());
    }
    text
}

fn of_statement(statement: &StatementReport) -> String {
    let StatementReport { micros, waited_micros, rows, parsed, failed, route, statement: form, .. } =
        statement;
    let mut line = format!(
        "  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}  {route}: {form}",
        micros.count,
        time(Some(micros.total)),
        time(micros.p50),
        time(micros.p99),
        time(waited_micros.p99),
        rows,
        statement.sent_bytes + statement.received_bytes,
        parsed,
        failed
    );
    if statement.retries > 0 {
        let _ = write!(line, " ({} retries, {} unseen)", statement.retries, statement.replays);
    }
    line.push('\n');
    line
}

/// Microseconds for people.
fn time(micros: Option<u64>) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    match micros {
        None => "-".into(),
        Some(micros @ ..1_000) => format!("{micros} us"),
        Some(micros @ ..1_000_000) => format!("{:.1} ms", micros as f64 / 1e3),
        Some(micros) => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_people() {
        let times = [None, Some(0), Some(999), Some(1_500), Some(2_000_000)].map(time);
        assert_eq!(times, ["-", "0 us", "999 us", "1.5 ms", "2.0 s"]);
    }
}
