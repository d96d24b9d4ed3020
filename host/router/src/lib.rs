//! fasterapi-router
