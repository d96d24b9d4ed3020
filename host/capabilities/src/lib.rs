//! What a guest may touch, each thing in one module of one shape: what the operator configures for a revision,
//! what an instance carries, and `add_to_linker`.
//!
//! Deny by default: a guest without a grant gets a clear refusal from the capability, never its absence.

pub mod log;
pub mod outbound;
pub mod postgres;
