//! The builder against the real pip, the real componentize-py and the real SDK. Uses the user's cache, so the
//! environment and the wheels are made once for all suites.

#[cfg(test)]
mod suite;
