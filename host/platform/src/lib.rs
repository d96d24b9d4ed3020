//! Apps and revisions, and the path of a request through them.
//!
//! A request passes the stages of [`gateway`], which have the names that logs and docs use: `identify → route →
//! receive → answer → checkout → invoke → respond`. What they must look up stands in one immutable snapshot.

mod answer;
mod answers;
mod docs;
mod drive;
mod gateway;
mod layers;
mod plan;
mod refusal;
mod respond;
mod revision;
mod websockets;

pub use gateway::Platform;
pub use revision::{AppOptions, Revision, RevisionError, Serving};
