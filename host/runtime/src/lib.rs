//! fasterapi-runtime
