//! The host as its users run it: a process.
