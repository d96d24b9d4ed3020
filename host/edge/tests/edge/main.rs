//! The edge over real sockets, in front of small gateways. Malformed input is written byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy only exempts the test functions themselves"
)]

mod backpressure;
mod compression;
mod descriptors;
mod disconnect;
mod drain;
mod h2;
mod limits;
mod malformed;
mod requests;
mod responses;
mod support;
mod websocket;
