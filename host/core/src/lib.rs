//! The vocabulary that every floor shares: ids, where an error came from, secrets.
//!
//! Nothing here does I/O, knows a clock, or depends on tokio or wasmtime.

pub mod answers;
pub mod docs;
mod error;
pub mod files;
mod ids;
mod latin1;
pub mod layers;
pub mod manifest;
mod secret;
mod section;

pub use error::Origin;
pub use ids::{DatabaseAlias, IdError, TenantId};
pub use latin1::latin1_bytes;
pub use secret::Secret;
