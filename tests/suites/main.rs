//! The end-to-end suites, in one binary: see `fasterapi_tests`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is tests"
)]

mod answers;
mod asgi;
mod backend;
mod cli;
mod docs;
mod drain;
mod examples;
mod faults;
mod files;
mod hello;
mod instances;
mod layers;
mod packages;
mod postgres;
mod standard;
mod websockets;
mod wsgi;
