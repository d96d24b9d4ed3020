//! COPY of one large file: through the host alone, through Python in the component, and by psql's `\copy`.
//!
//! Everything but Postgres is on the servers' core: psql, or the host and its client. The client of an upload reads the
//! file, as psql does; what comes out is read to its end and thrown away.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::database::{Database, pin, run, tool};
use super::http::{self, Head};
use super::launch::on_core;
use super::measure::median;
use super::options::Options;
use super::scenario::App;
use super::server::{self, Server};
use crate::apps;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Out,
    In,
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::Out => "COPY out",
            Self::In => "COPY in",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Psql,
    /// `CopyResponse` and `copy_from_request`.
    Host,
    /// `pg.copy_out` and `pg.copy_in`.
    Python,
}

impl Way {
    const ALL: [Self; 3] = [Self::Psql, Self::Host, Self::Python];

    const fn name(self, direction: Direction) -> &'static str {
        match (self, direction) {
            (Self::Psql, _) => "`psql \\copy`",
            (Self::Host, Direction::Out) => "`CopyResponse`",
            (Self::Host, Direction::In) => "`copy_from_request`",
            (Self::Python, Direction::Out) => "`pg.copy_out`, sent on",
            (Self::Python, Direction::In) => "`pg.copy_in`, of the body",
        }
    }
}

/// What a turn needs.
struct Bench<'a> {
    database: &'a Database,
    server: &'a Server,
    file: PathBuf,
}

/// The table, where the options want it.
pub fn measure(options: &Options, database: &Database, server: &Server) -> Result<Option<String>> {
    let wanted = [Direction::Out, Direction::In].into_iter().filter(|one| options.wants(one.name()));
    let wanted: Vec<Direction> = wanted.collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let bench = Bench { database, server, file: apps::cache_folder()?.join("stored.csv") };
    run(database.psql().args(["--command", &psql_copy(Direction::Out, &bench.file)]))?;
    let size = fs::metadata(&bench.file)?.len() as f64 / 1e6;
    let mut lines = vec![
        format!("| COPY of {size:.0} MB of CSV | by | seconds | slowest–fastest round | MB/s | to psql |"),
        "|---|---|--:|--:|--:|--:|".to_owned(),
    ];
    for direction in wanted {
        for way in Way::ALL {
            bench.check(direction, way).with_context(|| way.name(direction))?;
        }
        lines.extend(bench.alternate(options, direction, size)?);
    }
    Ok(Some(lines.join("\n")))
}

impl Bench<'_> {
    fn alternate(&self, options: &Options, direction: Direction, size: f64) -> Result<Vec<String>> {
        let mut rounds = Way::ALL.map(|_| Vec::new());
        for number in 1..=options.rounds {
            for (way, rounds) in Way::ALL.into_iter().zip(&mut rounds) {
                self.empty()?;
                let seconds = self.turn(direction, way, Path::new("/dev/null"))?;
                let name = way.name(direction);
                println!("    {}: round {number}: {name} {seconds:.2} s", direction.name());
                rounds.push(seconds);
            }
        }
        rounds.iter_mut().for_each(|rounds| rounds.sort_by(f64::total_cmp));
        let [psql, ..] = rounds.each_ref().map(|rounds| median(rounds));
        Ok(Way::ALL
            .iter()
            .zip(&rounds)
            .map(|(way, rounds)| line(direction, *way, rounds, psql, size))
            .collect())
    }

    /// Everything arrives.
    fn check(&self, direction: Direction, way: Way) -> Result<()> {
        self.empty()?;
        let target = self.file.with_extension("copy");
        self.turn(direction, way, &target)?;
        if direction == Direction::In {
            let sum = |table| {
                self.database
                    .ask(&format!("SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t"))
            };
            ensure!(sum("stored")? == sum("copied")?, "other rows arrived than were sent");
            return Ok(());
        }
        let same = same_bytes(&self.file, &target)?;
        fs::remove_file(target)?;
        ensure!(same, "other bytes arrived than psql writes");
        Ok(())
    }

    /// One COPY, in seconds. What comes out goes to `target`.
    fn turn(&self, direction: Direction, way: Way, target: &Path) -> Result<f64> {
        let started = Instant::now();
        match way {
            Way::Psql => self.by_psql(direction, target)?,
            Way::Host => on_servers_core(|| self.by_http(direction, "/copy", target))?,
            Way::Python => on_servers_core(|| self.by_http(direction, "/copy/python", target))?,
        }
        Ok(started.elapsed().as_secs_f64())
    }

    fn by_psql(&self, direction: Direction, target: &Path) -> Result<()> {
        let file = if direction == Direction::Out { target } else { &self.file };
        let mut command = on_core(&tool("psql"), App::Postgres);
        command.args(["--no-psqlrc", "--quiet", "--dbname", &self.database.url()]);
        run(command.args(["--command", &psql_copy(direction, file)]))
    }

    fn by_http(&self, direction: Direction, path: &str, target: &Path) -> Result<()> {
        let head = |method| Head { method, path, headers: &[("content-type", "text/csv")] };
        let addr = self.server.addr;
        let status = match direction {
            Direction::Out => {
                let mut sink = Counted { sink: File::create(target)?, bytes: 0 };
                let status = http::exchange(addr, head("GET"), (io::empty(), 0), &mut sink)?;
                let size = fs::metadata(&self.file)?.len();
                ensure!(sink.bytes == size, "{} bytes arrived of {size}", sink.bytes);
                status
            }
            Direction::In => {
                let file = File::open(&self.file)?;
                let length = file.metadata()?.len();
                http::exchange(addr, head("POST"), (file, length), &mut io::sink())?
            }
        };
        ensure!(status == 200, "{path} answered {status}");
        Ok(())
    }

    /// Every COPY in finds the table as the first did.
    fn empty(&self) -> Result<()> {
        self.database.ask("TRUNCATE copied")?;
        self.database.checkpoint()
    }
}

struct Counted {
    sink: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn line(direction: Direction, way: Way, sorted: &[f64], psql: f64, size: f64) -> String {
    let seconds = median(sorted);
    let [fastest, slowest] = [sorted.first(), sorted.last()].map(|round| round.copied().unwrap_or_default());
    format!(
        "| {} | {} | {seconds:.2} | {slowest:.2}–{fastest:.2} | {:.0} | {:.2} |",
        if way == Way::Psql { direction.name() } else { "" },
        way.name(direction),
        size / seconds,
        psql / seconds,
    )
}

fn psql_copy(direction: Direction, file: &Path) -> String {
    let file = file.display();
    match direction {
        Direction::Out => format!("\\copy stored TO '{file}' (FORMAT csv)"),
        Direction::In => format!("\\copy copied FROM '{file}' (FORMAT csv)"),
    }
}

fn same_bytes(one: &Path, other: &Path) -> Result<bool> {
    Ok(fs::read(one)? == fs::read(other)?)
}

/// Does `work` on a thread there.
fn on_servers_core<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(server::CORE)?;
            work()
        });
        thread.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
    })
}
