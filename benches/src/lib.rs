//! Measuring fasterapi-host: side by side with its peers under load, and part by part.
//!
//! [`load`] (`cargo xtask bench load`) runs one app file under several servers, one core for the server and one for
//! the load. `benches/micro/` (`cargo xtask bench micro`) times single operations with Criterion.
//! [`reload`] (`cargo xtask bench reload`) times a developer's change. All write their tables into `benches/RESULTS.md`, between markers, when asked to. Nothing here asserts a time.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measures")]

pub mod apps;
pub mod load;
pub mod machine;
pub mod process;
pub mod reload;
pub mod results;
