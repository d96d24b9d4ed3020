//! What a task prints.
#![allow(clippy::print_stdout, reason = "printing is what this module is for")]

use std::io::{IsTerminal, Write};

use fasterapi_builder::Event;

/// Prints a line of news.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints a heading for a step.
pub(crate) fn heading(text: &str) {
    println!("==> {text}");
    let _ = std::io::stdout().flush();
}

/// Prints an error and what led to it, on standard error.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Shows a build's progress: the steps, and on a terminal the running step's last line in place.
pub(crate) fn progress(event: Event<'_>) {
    let terminal = std::io::stdout().is_terminal();
    match event {
        Event::Started(name) => heading(name),
        Event::Line(text) if terminal => {
            let short: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            print!("\r\x1b[2K    {short}");
            let _ = std::io::stdout().flush();
        }
        Event::Finished(name, took) if terminal => {
            println!("\r\x1b[2K    {name}: {:.1} s", took.as_secs_f64())
        }
        Event::Finished(name, took) => println!("    {name}: {:.1} s", took.as_secs_f64()),
        Event::Notice(text) => println!("note: {text}"),
        _ => {}
    }
}
