//! The Postgres programs for machines without a server.

use std::process::Command;

use fasterapi_builder::{Cache, Event, pg_binaries};

#[test]
fn the_unpacked_server_runs() {
    let bin = pg_binaries::ensure(&Cache::open().unwrap(), &|_: Event<'_>| {}).unwrap();
    for (program, expected) in
        [("postgres", "postgres (PostgreSQL) 18."), ("initdb", "initdb (PostgreSQL) 18.")]
    {
        let output = Command::new(bin.join(program)).arg("--version").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(expected), "{text}");
    }
}
