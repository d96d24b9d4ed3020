//! fasterapi-host
