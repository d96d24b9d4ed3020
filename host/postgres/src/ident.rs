//! Names in commands of the host's own.

/// A name as the server reads it, unchanged; none if it would not: longer names are cut, and then are others.
pub(crate) fn quoted(name: &str) -> Option<String> {
    let fits = (1..=63).contains(&name.len()) && !name.contains('\0');
    fits.then(|| format!("\"{}\"", name.replace('"', "\"\"")))
}
