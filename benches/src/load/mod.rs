//! The load benchmark: one app file, several servers, one after the other, again and again.
//!
//! **Method.** Every server has one core to itself and one worker; the load generator (wrk: closed loop, keep-alive)
//! has the other core. All servers run for the whole time and wait for their turn, so that a round is `A B C`, and what
//! the machine does meanwhile hits all alike; a table gives medians over the rounds. Before anything is measured all
//! servers must give the same answer to every request, to the byte. CPU time is the kernel's account of the server's
//! processes. What others did on the server's core is measured too, and printed: a busy machine shows.

mod check;
mod measure;
mod options;
mod peers;
mod report;
mod scenario;
mod server;
mod wrk;

use anyhow::{Result, ensure};

pub use options::Options;

use crate::{machine, results};
use measure::Row;
use scenario::{App, Scenario};
use server::{Kind, Server};

/// Runs the benchmark and prints its tables; writes them into `RESULTS.md` where asked.
///
/// # Errors
/// A server does not start or answers differently, or a tool is missing.
pub fn run(options: &Options) -> Result<()> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "the server and the load need a core each");
    wrk::find()?;
    let kinds: Vec<_> = options.apps().into_iter().flat_map(|app| options.kinds(app)).collect();
    let launcher = server::Launcher::prepare(&kinds)?;
    let mut tables = Vec::new();
    for app in options.apps() {
        tables.push((app, measure_app(options, &launcher, app)?));
    }
    let method = report::method(options, &launcher.versions()?);
    for (app, table) in &tables {
        let text = format!("{}\n\n{method}\n\n{table}", machine::describe());
        println!("\n{text}");
        if options.write_results {
            results::write(app.section(), &text)?;
        }
    }
    Ok(())
}

fn measure_app(options: &Options, launcher: &server::Launcher, app: App) -> Result<String> {
    let mut servers = Vec::new();
    for kind in options.kinds(app) {
        servers.push(launcher.start(kind, app)?);
    }
    let scenarios = options.scenarios(app);
    check::same_answers(&servers, &scenarios)?;
    let mut rows = Vec::new();
    for scenario in &scenarios {
        rows.push((scenario, measure::alternate(options, &servers, scenario)?));
    }
    let memory =
        servers.iter().map(|server| Ok((server.kind, server.memory()?))).collect::<Result<Vec<_>>>()?;
    Ok(report::tables(&rows, &memory))
}

/// The rows of one scenario, a server each.
type Rows = Vec<Row>;
type Measured<'a> = (&'a Scenario, Rows);
type Used = (Kind, crate::process::Memory);
type Servers = [Server];
