//! fasterapi-capabilities
