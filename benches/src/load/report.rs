//! The tables, in Markdown.

use super::measure::Row;
use super::options::Options;
use super::server::Kind;
use super::{Measured, Used};

/// Over this part of its core, the generator may be what is measured; under it, others are.
const GENERATOR_BUSY: f64 = 0.9;
const OTHERS_BUSY: f64 = 0.05;

pub fn method(options: &Options, versions: &str) -> String {
    let Options { seconds, rounds, connections, .. } = options;
    format!(
        "- versions: {versions}\n\
         - load: wrk, {connections} keep-alive connections, closed loop; medians of {rounds} alternating rounds of {seconds} s \
         after a warm-up; one core for the server, the other for the load"
    )
}

pub fn tables(measured: &[Measured<'_>], memory: &[Used]) -> String {
    let mut lines = vec![
        "| request | server | requests/s | slowest–fastest round | to uvicorn | p50 ms | p99 ms | CPU µs/request | user + system |"
            .to_owned(),
        "|---|---|--:|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for (scenario, rows) in measured {
        lines.extend(
            rows.iter().enumerate().map(|(n, row)| line(if n == 0 { scenario.name } else { "" }, row, rows)),
        );
    }
    lines.push(String::new());
    lines.extend(remarks(measured));
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

fn line(name: &str, row: &Row, rows: &[Row]) -> String {
    let base = rows.iter().find(|row| row.kind == Kind::Uvicorn);
    let ratio = base.map_or_else(|| "–".into(), |base| format!("{:.2}", row.per_second / base.per_second));
    format!(
        "| {name} | {} | {:.0} | {:.0}–{:.0} | {ratio} | {:.2} | {:.2} | {:.1} | {:.1} + {:.1} |",
        row.kind.name(),
        row.per_second,
        row.slowest,
        row.fastest,
        row.p50,
        row.p99,
        row.user + row.system,
        row.user,
        row.system,
    )
}

/// What a reader must know before believing the table.
fn remarks(measured: &[Measured<'_>]) -> Vec<String> {
    let rows =
        || measured.iter().flat_map(|(scenario, rows)| rows.iter().map(move |row| (scenario.name, row)));
    let mut remarks = Vec::new();
    for (name, row) in rows().filter(|(_, row)| row.generator > GENERATOR_BUSY) {
        let (server, busy) = (row.kind.name(), row.generator * 100.0);
        remarks.push(format!(
            "- {name}, {server}: the load generator's core was {busy:.0} % busy: the server may be faster"
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
