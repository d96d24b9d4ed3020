//! The crate against a real server, which its own embedded supervisor starts in a temporary folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking, as tests do; clippy knows only the tests themselves"
)]

// What `cargo` makes of a test file's modules: they live beside it in a folder of its name.
#[path = "postgres/batches.rs"]
mod batches;
#[path = "postgres/blocks.rs"]
mod blocks;
#[path = "postgres/changes.rs"]
mod changes;
#[path = "postgres/copies.rs"]
mod copies;
#[path = "postgres/cuts.rs"]
mod cuts;
#[path = "postgres/documents.rs"]
mod documents;
#[path = "postgres/embedded.rs"]
mod embedded;
#[path = "postgres/errors.rs"]
mod errors;
#[path = "postgres/faults.rs"]
mod faults;
#[path = "postgres/firewall.rs"]
mod firewall;
#[path = "postgres/flows.rs"]
mod flows;
#[path = "postgres/killed.rs"]
mod killed;
#[path = "postgres/leaks.rs"]
mod leaks;
#[path = "postgres/listens.rs"]
mod listens;
#[path = "postgres/logs.rs"]
mod logs;
#[path = "postgres/natives.rs"]
mod natives;
#[path = "postgres/notices.rs"]
mod notices;
#[path = "postgres/outages.rs"]
mod outages;
#[path = "postgres/params.rs"]
mod params;
#[path = "postgres/pools.rs"]
mod pools;
#[path = "postgres/programs.rs"]
mod programs;
#[path = "postgres/proxy.rs"]
mod proxy;
#[path = "postgres/readonly.rs"]
mod readonly;
#[path = "postgres/replays.rs"]
mod replays;
#[path = "postgres/rides.rs"]
mod rides;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/secure/mod.rs"]
mod secure;
#[path = "postgres/serializable.rs"]
mod serializable;
#[path = "postgres/sessions.rs"]
mod sessions;
#[path = "postgres/shortages.rs"]
mod shortages;
#[path = "postgres/skew.rs"]
mod skew;
#[path = "postgres/statements.rs"]
mod statements;
#[path = "postgres/statistics.rs"]
mod statistics;
#[path = "postgres/streams.rs"]
mod streams;
#[path = "postgres/support.rs"]
mod support;
#[path = "postgres/terms.rs"]
mod terms;
#[path = "postgres/transactions.rs"]
mod transactions;
#[path = "postgres/types.rs"]
mod types;
#[path = "postgres/upgrades.rs"]
mod upgrades;
