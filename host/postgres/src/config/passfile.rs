//! The password file `.pgpass` (PostgreSQL documentation, "The Password File").

/// For whom a password is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The host's name or address as configured; a socket's folder, or `localhost` for the default one.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// The password in the first line that fits.
pub(super) fn lookup(text: &str, wanted: Wanted<'_>) -> Option<String> {
    let port = wanted.port.to_string();
    let fields = [wanted.host, &port, wanted.database, wanted.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let password = fields.iter().try_fold(line, |rest, field| after(rest, field))?;
        let password = unescaped(until_colon(password).0);
        (!password.is_empty()).then_some(password)
    })
}

/// What comes after the line's next field, if that is `field` or `*`.
fn after<'a>(rest: &'a str, field: &str) -> Option<&'a str> {
    let (pattern, rest) = until_colon(rest);
    (pattern == "*" || unescaped(pattern) == field).then_some(rest?)
}

/// Splits at the first colon that no backslash escapes.
fn until_colon(text: &str) -> (&str, Option<&str>) {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((field, rest)) => (field, rest.strip_prefix(':')),
        None => (text, None),
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\n\
        db.example:5432:shop:bob:first\n\
        db.example:*:shop:bob:second\n\
        \n\
        half:a:line\n\
        ::1:5432:x:y:never\n\
        \\:\\:1:5432:*:*:col\\:on\\\\\n\
        localhost:*:*:*:local\n\
        *:*:*:eve:a:b\n\
        *:*:empty:*:";

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        for (host, port, database, user, expected) in [
            ("db.example", 5432, "shop", "bob", Some("first")),
            ("db.example", 6432, "shop", "bob", Some("second")),
            ("db.example", 5432, "shop", "ann", None),
            ("db.example", 5432, "other", "bob", None),
            ("::1", 5432, "any", "one", Some("col:on\\")),
            ("localhost", 1, "a", "b", Some("local")),
            ("elsewhere", 1, "a", "eve", Some("a")),
            ("elsewhere", 1, "empty", "b", None),
        ] {
            let wanted = Wanted { host, port, database, user };
            assert_eq!(lookup(FILE, wanted).as_deref(), expected, "{wanted:?}");
        }
    }
}
