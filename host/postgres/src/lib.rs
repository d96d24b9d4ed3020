//! fasterapi-postgres
