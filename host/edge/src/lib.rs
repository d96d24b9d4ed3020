//! fasterapi-edge
