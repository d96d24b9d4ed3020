//! What the developer sees in the terminal, beside the log.

use std::{
    fmt,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    trouble::Trouble,
    workshop::{Made, Times},
};
use crate::{exit::Failure, output};

/// What takes less time is not told.
const SEEN: Duration = Duration::from_millis(5);

/// Where the app is served, and what is watched.
pub(crate) struct Place<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) folder: &'a Path,
}

/// What is to be said of a version that went live.
pub(crate) struct Summary {
    target: String,
    routes: usize,
    docs: Option<String>,
    times: Times,
}

impl Summary {
    pub(crate) fn of(made: &Made) -> Self {
        let manifest = made.revision.manifest();
        let docs = manifest.routes.iter().find(|route| route.name.as_deref() == Some("swagger_ui_html"));
        Self {
            target: manifest.target.clone(),
            routes: manifest.routes.len(),
            docs: docs.map(|route| route.path.clone()),
            times: made.times,
        }
    }
}

/// A change was seen.
pub(crate) fn changed(paths: &[PathBuf]) {
    let Some((path, others)) = paths.split_first() else { return };
    let others = match others.len() {
        0 => String::new(),
        1 => " and another file".to_owned(),
        number => format!(" and {number} other files"),
    };
    output::line(format_args!("{}{others} changed", path.display()));
}

/// The sources serve. Without news they are what served before.
pub(crate) fn live(first: Option<Place<'_>>, news: Option<&Summary>, mended: bool) {
    match (first, news) {
        (Some(Place { addr, folder }), Some(Summary { target, routes, docs, times })) => {
            output::line(format_args!("listening on http://{addr} ({target}, {routes} routes)"));
            if let Some(docs) = docs {
                output::line(format_args!("docs on http://{addr}{docs}"));
            }
            output::line(format_args!("watching {}; ready in {times}", folder.display()));
        }
        (_, Some(Summary { times, .. })) => {
            output::line(format_args!("{} in {times}", Painted("32", "live")));
        }
        (_, None) if mended => output::line(format_args!("{}: as it was before", Painted("32", "live"))),
        (_, None) => output::line("nothing that the app is made of has changed"),
    }
}

/// The sources do not serve.
pub(crate) fn broken(first: Option<Place<'_>>, trouble: &Trouble, served: bool) {
    let _ = output::failure(&Failure::input(trouble.as_str()));
    if let Some(Place { addr, folder }) = first {
        output::line(format_args!("listening on http://{addr} (nothing to serve yet)"));
        output::line(format_args!("watching {}", folder.display()));
    } else if served {
        output::line("the version before this change serves on; browsers are shown the error");
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, build, compile, import, start } = *self;
        let all = (read + build + compile + import + start).as_secs_f64();
        write!(f, "{all:.2} s")?;
        let steps =
            [("read", read), ("build", build), ("compile", compile), ("import", import), ("start", start)];
        let mut before = " (";
        for (name, time) in steps.into_iter().filter(|(_, time)| *time >= SEEN) {
            write!(f, "{before}{name} {:.2} s", time.as_secs_f64())?;
            before = ", ";
        }
        f.write_str(if before == ", " { ")" } else { "" })
    }
}

/// A word in a colour, on a terminal.
struct Painted(&'static str, &'static str);

impl fmt::Display for Painted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(colour, word) = self;
        if io::stdout().is_terminal() {
            write!(f, "\x1b[1;{colour}m{word}\x1b[0m")
        } else {
            f.write_str(word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_that_took_time_are_told() {
        let (none, some) = (Duration::ZERO, Duration::from_millis(120));
        let times = Times { read: none, build: none, compile: none, import: some, start: some };
        assert_eq!(times.to_string(), "0.24 s (import 0.12 s, start 0.12 s)");
        let times = Times { read: none, build: none, compile: none, import: none, start: none };
        assert_eq!(times.to_string(), "0.00 s");
    }
}
