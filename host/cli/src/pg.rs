//! `fasterapi-host pg`.
use crate::{args::PgArgs, exit::Failure};
pub(crate) fn run(_args: &PgArgs) -> Result<(), Failure> { Err(Failure::other("later")) }
