//! A Postgres for tests: the embedded server, in a folder of its own.
