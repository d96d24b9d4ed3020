//! The tables, in Markdown.

use super::measure::Row;
use super::options::Options;
use super::scenario::App;
use super::server::Kind;
use super::wrk;
use super::{Measured, Used};

/// Over this part of its core, what stands there may be what is measured; over that one, others are.
const LOADED: f64 = 0.9;
const OTHERS_BUSY: f64 = 0.05;

pub fn method(options: &Options, app: App, versions: &str) -> String {
    let Options { seconds, rounds, connections, .. } = options;
    let beside = if app == App::Postgres { " and Postgres" } else { "" };
    let wrk = if wrk::sleeps(options, app) { "wrk" } else { "wrk, which never sleeps" };
    format!(
        "- versions: {versions}\n\
         - load: {wrk}, {connections} keep-alive connections, closed loop; medians of {rounds} alternating rounds of {seconds} s \
         after a warm-up; one core for the server, the other for the load{beside}"
    )
}

pub fn tables(options: &Options, app: App, measured: &[Measured<'_>], memory: &[Used]) -> String {
    let base = app.baseline();
    let mut lines = head(app, base);
    for (scenario, rows) in measured {
        lines.extend(rows.iter().enumerate().map(|(n, row)| {
            let base = rows.iter().find(|row| row.kind == base);
            line(if n == 0 { scenario.name } else { "" }, app, row, base)
        }));
    }
    lines.push(String::new());
    lines.extend(remarks(options, app, measured));
    lines.extend([
        "| server | memory after it, MiB (PSS) | private dirty, MiB |".into(),
        "|---|--:|--:|".into(),
    ]);
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    lines.extend(memory.iter().map(|(kind, used)| {
        format!(
            "| {} | {:.0} | {:.0} |",
            kind.name(),
            mebibytes(used.proportional),
            mebibytes(used.private_dirty)
        )
    }));
    lines.join("\n")
}

fn head(app: App, base: Kind) -> Vec<String> {
    let base = base.name();
    let mut head = format!(
        "| request | server | requests/s | slowest–fastest round | to {base} | p50 ms | p99 ms | CPU µs/request | user + system |"
    );
    let mut rule = "|---|---|--:|--:|--:|--:|--:|--:|--:|".to_owned();
    if app == App::Postgres {
        head.push_str(&format!(
            " CPU, {base}'s to its own | Postgres's CPU µs/request | the load's core, busy |"
        ));
        rule.push_str("--:|--:|--:|");
    }
    vec![head, rule]
}

fn line(name: &str, app: App, row: &Row, base: Option<&Row>) -> String {
    let ratio = |of: &dyn Fn(&Row) -> f64| base.map_or_else(|| "–".into(), |base| format!("{:.2}", of(base)));
    let cpu = |row: &Row| row.user + row.system;
    let mut line = format!(
        "| {name} | {} | {:.0} | {:.0}–{:.0} | {} | {:.2} | {:.2} | {:.1} | {:.1} + {:.1} |",
        row.kind.name(),
        row.per_second,
        row.slowest,
        row.fastest,
        ratio(&|base| row.per_second / base.per_second),
        row.p50,
        row.p99,
        cpu(row),
        row.user,
        row.system,
    );
    if app == App::Postgres {
        let (database, loaded) = (row.database, row.loaded * 100.0);
        line.push_str(&format!(" {} | {database:.1} | {loaded:.0} % |", ratio(&|base| cpu(base) / cpu(row))));
    }
    line
}

/// What a reader must know before believing the table.
fn remarks(options: &Options, app: App, measured: &[Measured<'_>]) -> Vec<String> {
    let rows =
        || measured.iter().flat_map(|(scenario, rows)| rows.iter().map(move |row| (scenario.name, row)));
    let mut remarks = Vec::new();
    // With Postgres there, how busy it is stands in the table; and one that polls is always busy.
    let tells = app != App::Postgres && wrk::sleeps(options, app);
    for (name, row) in rows().filter(|(_, row)| tells && row.loaded > LOADED) {
        let (server, busy) = (row.kind.name(), row.loaded * 100.0);
        remarks.push(format!(
            "- {name}, {server}: the load's core was {busy:.0} % busy: the server may be faster"
        ));
    }
    let others = rows().map(|(_, row)| row.others).fold(0.0, f64::max);
    let verdict = if others > OTHERS_BUSY {
        ": **the machine was not quiet**, trust the CPU times and ratios only"
    } else {
        ""
    };
    remarks.push(format!("- others used at most {:.0} % of the server's core{verdict}", others * 100.0));
    remarks.push(String::new());
    remarks
}
