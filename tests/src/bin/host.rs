//! `fasterapi-host` as the tests run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    fasterapi_host::main()
}
