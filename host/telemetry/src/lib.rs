//! fasterapi-telemetry
