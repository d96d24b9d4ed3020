//! fasterapi-platform
