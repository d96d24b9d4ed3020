//! fasterapi-benches
