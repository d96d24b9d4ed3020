//! The command line of the load benchmarks.

use std::time::Duration;

use clap::Parser;

use super::scenario::{self, App, Scenario};
use super::server::Kind;

/// Runs one app under this host and its peers, and compares them.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench load|postgres")]
pub struct Options {
    /// How long a round lasts, in seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// Rounds of each server; the table has their medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub rounds: u64,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub connections: u64,
    /// Only these servers
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only the scenarios whose names contain this
    #[arg(long, default_value = "")]
    scenario: String,
    /// Let the load generator sleep while it waits: the servers then pay for waking it
    #[arg(long)]
    pub sleeping_load: bool,
    /// Write the tables into benches/RESULTS.md
    #[arg(long)]
    pub write_results: bool,
}

impl Options {
    /// The servers of an app.
    pub(super) fn kinds(&self, app: App) -> Vec<Kind> {
        let wanted = |kind: &Kind| self.only.is_empty() || self.only.contains(kind);
        app.kinds().iter().copied().filter(wanted).collect()
    }

    /// Whether no server of an app is left out.
    pub(super) fn is_complete(&self, app: App) -> bool {
        self.kinds(app) == app.kinds()
    }

    pub(super) fn scenarios(&self, app: App) -> Vec<Scenario> {
        let mut scenarios = scenario::all();
        scenarios.retain(|scenario| scenario.app == app && self.wants(scenario.name));
        scenarios
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        name.contains(&self.scenario)
    }

    pub(super) const fn round(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
