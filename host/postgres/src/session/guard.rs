//! Which ways of log-in are answered (libpq's `require_auth`).
//!
//! The driver answers whatever the server asks for, also for a password in clear text. So what asks goes by here first;
//! once the log-in is over nothing does any more.

use std::io;

/// A set of ways of log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways(u8);

impl Ways {
    /// The server asks for nothing: trust, or the client's certificate.
    pub(crate) const NONE: Self = Self(1);
    /// For the password in clear text.
    pub(crate) const PASSWORD: Self = Self(2);
    pub(crate) const MD5: Self = Self(4);
    pub(crate) const SCRAM: Self = Self(8);
    /// Those that the driver does not know either.
    pub(crate) const OTHER: Self = Self(16);
    pub(crate) const ALL: Self = Self(31);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Follows the server's messages until the log-in is over (PostgreSQL documentation, "Message Formats",
/// `Authentication…`).
#[derive(Debug)]
pub(super) struct Guard {
    allowed: Ways,
    /// The start of the message under way: its type, length and code.
    start: Vec<u8>,
    /// Bytes of its body still to come.
    body: usize,
    asked: bool,
}

const START: usize = 9;

impl Guard {
    pub(super) fn new(allowed: Ways) -> Self {
        Self { allowed, start: Vec::with_capacity(START), body: 0, asked: false }
    }

    /// Looks at what was read. True: the log-in is over.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while let Some((&next, rest)) = bytes.split_first() {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len());
                self.body -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            self.start.push(next);
            bytes = rest;
            let [kind, a, b, c, d, code @ ..] = self.start.as_slice() else { continue };
            if *kind != b'R' {
                self.body = (u32::from_be_bytes([*a, *b, *c, *d]) as usize).saturating_sub(4);
                self.start.clear();
                continue;
            }
            let [w, x, y, z] = code else { continue };
            let code = u32::from_be_bytes([*w, *x, *y, *z]);
            self.body = (u32::from_be_bytes([*a, *b, *c, *d]) as usize).saturating_sub(8);
            self.start.clear();
            if self.judge(code)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn judge(&mut self, code: u32) -> io::Result<bool> {
        const OK: u32 = 0;
        let (way, asks) = match code {
            OK if self.asked => return Ok(true),
            OK => (Ways::NONE, "lets anybody in"),
            3 => (Ways::PASSWORD, "asks for the password in clear text"),
            5 => (Ways::MD5, "asks for the password's MD5 hash"),
            10..=12 => (Ways::SCRAM, "asks for SCRAM"),
            _ => (Ways::OTHER, "asks for a way of log-in that is not spoken here"),
        };
        self.asked = true;
        match self.allowed.has(way) {
            true => Ok(code == OK),
            false => {
                let text = format!("the server {asks}, which require_auth does not allow");
                Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SASL: &[u8] = b"N\0\0\0\x06x\0R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x0a\0\0\0\x0bab\
        R\0\0\0\x08\0\0\0\x0cR\0\0\0\x08\0\0\0\0";
    const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const TRUST: &[u8] = b"R\0\0\0\x08\0\0\0\0";

    #[test]
    fn ways_are_seen_however_the_stream_is_cut() {
        for size in 1..=SASL.len() {
            for (allowed, good) in [(Ways::SCRAM, true), (Ways::ALL.without(Ways::SCRAM), false)] {
                let mut guard = Guard::new(allowed);
                let all: Result<Vec<bool>, _> = SASL.chunks(size).map(|part| guard.follow(part)).collect();
                assert_eq!(all.is_ok_and(|all| all.last() == Some(&true)), good, "cut every {size}");
            }
        }
    }

    #[test]
    fn each_way_has_its_word() {
        for (stream, way, ends) in [(CLEAR, Ways::PASSWORD, false), (TRUST, Ways::NONE, true)] {
            assert_eq!(Guard::new(way).follow(stream).unwrap(), ends);
            assert!(Guard::new(Ways::ALL.without(way)).follow(stream).is_err());
        }
    }
}
