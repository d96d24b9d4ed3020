//! fasterapi-core
