//! The load benchmarks: the same routes under several servers, one after the other, again and again.
//!
//! **Method.** Every server has one core to itself and one worker; the load generator (wrk: closed loop, keep-alive)
//! has the other core, and polls: were it asleep, the server's `write` would pay for waking it (see `awake.c`). All servers run for the whole time and wait for their turn, so that a round is `A B C`, and what
//! the machine does meanwhile hits all alike; a table gives medians over the rounds. Before anything is measured all
//! servers must give the same answer to every request. CPU time is the kernel's account of the server's processes. What
//! others did on the server's core is measured too, and printed: a busy machine shows.
//!
//! **With Postgres** ([`run_postgres`]) all servers use one database, whose server is on the load's core, as if it were
//! on another machine. Where that core is the one that is busy the table says so, and the CPU times tell what requests
//! per second cannot.

mod check;
mod copy;
mod database;
mod http;
mod launch;
mod measure;
mod options;
mod parts;
mod peers;
mod report;
mod scenario;
mod server;
mod wrk;

use anyhow::{Result, ensure};

pub(crate) use http::{Head, exchange};
pub(crate) use launch::{build_host, free_address};
pub(crate) use measure::median;
pub use options::Options;
pub(crate) use peers::Peers;

use crate::{apps, machine, results};
use database::Database;
use launch::Launcher;
use measure::Row;
use scenario::{App, Scenario};
use server::{Kind, Server};

/// Runs the benchmark of plain requests and prints its tables; writes them into `RESULTS.md` where asked.
///
/// # Errors
/// A server does not start or answers differently, or a tool is missing.
pub fn run(options: &Options) -> Result<()> {
    ready()?;
    let mut wanted = vec![App::Plain, App::Bare];
    wanted.retain(|app| !options.scenarios(*app).is_empty());
    let kinds: Vec<_> = wanted.iter().flat_map(|app| options.kinds(*app)).collect();
    let launcher = Launcher::prepare(&kinds)?;
    let mut tables = Vec::new();
    for app in wanted {
        tables.push((app, measure_app(options, &launcher, None, app)?));
    }
    tables.into_iter().try_for_each(|(app, table)| publish(options, app, &launcher.versions(app)?, &table))
}

/// Runs the benchmark of requests that use Postgres, as [`run`] does; then that of COPY and that of single calls.
///
/// # Errors
/// As [`run`], or a COPY loses something.
pub fn run_postgres(options: &Options) -> Result<()> {
    ready()?;
    let app = App::Postgres;
    let complete = options.is_complete(app);
    let launcher = Launcher::prepare(&options.kinds(app))?;
    if complete {
        // Before this process is bound to one core.
        apps::component(app.name())?;
    }
    let database = Database::start()?;
    let launcher = launcher.on_database(&database.url());
    let mut tables = Vec::new();
    if !options.scenarios(app).is_empty() {
        tables.push(measure_app(options, &launcher, Some(&database), app)?);
    }
    if complete {
        let server = launcher.start(Kind::Host, app)?;
        tables.extend(copy::measure(options, &database, &server)?);
        tables.extend(parts::measure(options, &database, &launcher, &server)?);
    }
    let versions = format!("{} · {}", launcher.versions(app)?, database.versions()?);
    publish(options, app, &versions, &tables.join("\n\n"))
}

fn ready() -> Result<()> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "the server and the load need a core each");
    wrk::find()
}

fn publish(options: &Options, app: App, versions: &str, table: &str) -> Result<()> {
    let method = report::method(options, app, versions);
    let text = format!("{}\n\n{method}\n\n{table}", machine::describe());
    println!("\n{text}");
    if options.write_results { results::write(app.section(), &text) } else { Ok(()) }
}

fn measure_app(
    options: &Options,
    launcher: &Launcher,
    database: Option<&Database>,
    app: App,
) -> Result<String> {
    let mut servers = Vec::new();
    for kind in options.kinds(app) {
        servers.push(launcher.start(kind, app)?);
    }
    let scenarios = options.scenarios(app);
    check::same_answers(&servers, &scenarios)?;
    let mut rows = Vec::new();
    for scenario in &scenarios {
        rows.push((scenario, measure::alternate(options, &servers, database, scenario)?));
    }
    let memory =
        servers.iter().map(|server| Ok((server.kind, server.memory()?))).collect::<Result<Vec<_>>>()?;
    Ok(report::tables(options, app, &rows, &memory))
}

/// The rows of one scenario, a server each.
type Rows = Vec<Row>;
type Measured<'a> = (&'a Scenario, Rows);
type Used = (Kind, crate::process::Memory);
type Servers = [Server];
