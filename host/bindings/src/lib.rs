//! fasterapi-bindings
