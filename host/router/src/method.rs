//! The methods a route serves, as a bit set with room for extension methods.

const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

/// The methods of one route. Method names are case-sensitive (RFC 9110, section 9.1).
#[derive(Debug, Clone, Default)]
pub(crate) struct MethodSet {
    any: bool,
    known: u16,
    others: Vec<Box<str>>,
}

/// A request's method, looked up once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    bit: u16,
    name: &'a str,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { bit: bit(name), name }
    }
}

impl MethodSet {
    /// No names mean any method.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut set = Self { any: true, ..Self::default() };
        for name in names {
            set.any = false;
            match bit(name) {
                0 => set.others.push(name.into()),
                bit => set.known |= bit,
            }
        }
        set
    }

    pub(crate) fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    pub(crate) fn contains(&self, asked: Asked<'_>) -> bool {
        self.any
            || self.known & asked.bit != 0
            || (asked.bit == 0 && self.others.iter().any(|other| **other == *asked.name))
    }
}

/// The method's bit, 0 for an extension method.
fn bit(name: &str) -> u16 {
    KNOWN.iter().position(|known| *known == name).map_or(0, |index| 1 << index)
}
