//! Postgres for guests, owned by the host: pools, sessions, statements, the packed blocks, and the embedded server.
//!
//! [`Databases`] is the door: it holds the grants, one pool per tenant and alias. A [`Database`] is one of them, and runs
//! statements whose parameters and results are packed blocks (see the README of `fasterapi:postgres`). [`embedded`] runs a private
//! server for development. Nothing here knows WebAssembly.

mod backoff;
mod batch;
mod call;
mod config;
mod copy;
mod database;
mod databases;
mod document;
pub mod embedded;
mod error;
mod foreign;
mod harmless;
mod ident;
mod judge;
mod lexer;
mod listen;
#[cfg(test)]
mod measure;
mod params;
mod pool;
mod ride;
mod rows;
mod schema;
mod session;
mod statement;
mod statistics;
mod stream;
mod tls;
mod transaction;
mod variables;

pub use config::{ConfigError, DatabaseConfig, Origin, PoolLimits, Reset};
pub use copy::{CopyIn, CopyOut};
pub use database::Database;
pub use databases::{Databases, DatabasesBuilder};
pub use document::{Document, Format};
pub use error::{PgError, PgErrorKind, ServerReport};
pub use listen::{Event, Listener};
pub use pool::{PoolStatus, PoolTotals};
pub use statistics::{StatementReport, Times};
pub use stream::RowStream;
pub use transaction::{Isolation, Transaction, TransactionOptions, WithinTransaction};
pub use variables::Variables;
