//! Makes a WebAssembly component from a Python web app.
//!
//! The contract, for the command line, xtask and the test harness: [`Builder::build`] takes `MODULE:ATTR` and a
//! project folder and writes a component whose custom section carries the app's [`Manifest`]. Everything it needs
//! beside a Python 3.10 and, for the WASI wheels, a Rust toolchain, it makes itself in the user's [`Cache`]: a
//! private Python environment, the wheels, the app's dependencies. Whatever is made once is kept under a key of
//! its content, so a second build of unchanged sources is a copy. The user's folder is only read.
//!
//! The SDK's half of the work happens inside Python; `guest-sdk/python/BUILD_PROTOCOL.md` says who does what. The
//! SDK, the WIT files and the recipes are embedded: an installed binary needs no checkout.
//!
//! Everything here blocks: call it off an async runtime's workers.

mod assets;
mod builder;
mod cache;
mod command;
mod compiled;
mod component;
mod dependencies;
mod docs_assets;
mod draft;
mod error;
mod files;
mod imports;
mod kdf;
pub mod pg_binaries;
mod pinned;
mod prelink;
mod progress;
mod project;
mod pyproject;
mod requirements;
mod sdk;
mod sdk_metadata;
mod target;
mod toolchain;
mod wheels;

pub use builder::{BuildRequest, Builder, Built};
pub use cache::Cache;
pub use draft::Draft;
pub use error::{BuildError, Unavailable};
pub use fasterapi_core::manifest::Manifest;
pub use progress::{Event, Progress};
pub use project::is_source;
pub use target::Target;
