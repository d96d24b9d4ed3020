//! Criterion, and a table of what it found.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use criterion::{Bencher, Criterion};
use fasterapi_benches::apps;
use tokio::runtime::Runtime;

/// The benchmarks of one run.
pub struct Suite {
    /// Where async operations run: on the thread that calls it.
    pub runtime: Runtime,
    criterion: Criterion,
    output: PathBuf,
    filter: String,
    names: Vec<&'static str>,
}

impl Suite {
    /// Runs only what has `filter` in its name.
    pub fn new(filter: &str) -> Result<Self> {
        let output = apps::cache_folder()?.join("criterion");
        let criterion = Criterion::default().without_plots().output_directory(&output);
        let criterion =
            criterion.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, criterion, output, filter: filter.to_owned(), names: Vec::new() })
    }

    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    /// Times one operation. `name` stands in the table, without a slash: it is a folder's name too.
    pub fn time(&mut self, name: &'static str, operation: impl FnMut(&mut Bencher<'_>, &Runtime)) {
        if !self.wants(name) {
            return;
        }
        let (runtime, mut operation) = (&self.runtime, operation);
        self.criterion.bench_function(name, |bencher| operation(bencher, runtime));
        self.names.push(name);
    }

    /// What was timed, in Markdown.
    pub fn table(&self) -> Result<String> {
        let mut lines =
            vec!["| operation | median | 95 % confidence |".to_owned(), "|---|--:|--:|".to_owned()];
        for name in &self.names {
            lines.push(self.line(name).with_context(|| format!("the estimates of {name}"))?);
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    fn line(&self, name: &str) -> Result<String> {
        let estimates: serde_json::Value =
            serde_json::from_slice(&fs::read(self.output.join(name).join("new/estimates.json"))?)?;
        let number = |pointer| {
            let value = estimates.pointer(pointer).and_then(serde_json::Value::as_f64);
            value.map(time).with_context(|| format!("no {pointer}"))
        };
        let (low, high) = (
            number("/median/confidence_interval/lower_bound")?,
            number("/median/confidence_interval/upper_bound")?,
        );
        Ok(format!("| {name} | {} | {low} – {high} |", number("/median/point_estimate")?))
    }
}

/// Nanoseconds, for people.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}
