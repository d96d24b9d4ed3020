//! Log-ins against a server that asks for TLS, certificates and passwords.

mod certificates;
mod front;
mod modes;
mod passwords;
mod server;
mod targets;
