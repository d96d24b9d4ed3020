//! fasterapi-tests
