//! The SDK, the WIT files and the recipes are embedded with `include_dir!`, which cargo does not see: tell it.
#![allow(clippy::print_stdout, reason = "the way a build script speaks to cargo")]

fn main() {
    for embedded in ["../../guest-sdk/python/fasterapi", "../../guest-sdk/wasi-wheels", "../../wit"] {
        println!("cargo::rerun-if-changed={embedded}");
    }
}
