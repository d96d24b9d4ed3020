//! The `fasterapi-host` command. All of it is in the library, so that tests run the real thing.

use std::process::ExitCode;

fn main() -> ExitCode {
    fasterapi_host::main()
}
