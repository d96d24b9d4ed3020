//! The harness of the end-to-end tests: real components, the real host, real sockets, a real Postgres.
//!
//! [`Guest`] builds a Python app through the builder and its cache. [`Host`] serves it in this process, on a port of
//! its own; [`process::HostProcess`] does so as a user would, by the program. [`uvicorn::Uvicorn`] serves the same app
//! natively, for comparison. [`http`] speaks to either. What is slow to make is made once and shared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a failure in the harness is a failed test"
)]

pub mod cases;
pub mod compare;
pub mod guest;
mod host;
pub mod http;
pub mod logs;
pub mod postgres;
pub mod process;
pub mod uvicorn;
pub mod wait;

pub use guest::Guest;
pub use host::Host;
