//! COPY over the wire, as streams of bytes: text, CSV or binary, as the statement says (PostgreSQL documentation,
//! "COPY Operations" of the message flow).

mod input;
mod output;

pub use self::{input::CopyIn, output::CopyOut};
