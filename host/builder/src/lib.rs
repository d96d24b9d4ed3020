//! fasterapi-builder
