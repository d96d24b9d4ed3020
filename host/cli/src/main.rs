//! The `fasterapi-host` command.
fn main() {}
