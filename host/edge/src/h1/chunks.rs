//! Finds the end of a chunked body (RFC 9112, section 7.1), at least as strict as hyper's decoder.

/// Where in the coding we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { digits: u8 },
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LineStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// Follows the coding across reads.
#[derive(Debug)]
pub(crate) struct Chunks {
    at: At,
    /// The current chunk's size, then what is left of it.
    size: u64,
}

/// The coding is broken at this byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { at: At::Size { digits: 0 }, size: 0 }
    }

    pub(crate) fn ended(&self) -> bool {
        self.at == At::End
    }

    /// How many of `bytes` belong to the body: all of them, unless it ends before.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut at = 0;
        while let (Some(byte), false) = (bytes.get(at), self.ended()) {
            if self.at == At::Data {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                let taken = left.min(bytes.len() - at);
                self.size -= taken as u64;
                at += taken;
                if self.size == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.at = self.step(*byte).ok_or(Broken { at })?;
            at += 1;
        }
        Ok(at)
    }

    /// The state after one byte that is not data; none where it must not stand here.
    fn step(&mut self, byte: u8) -> Option<At> {
        Some(match (self.at, byte) {
            (At::Size { digits: 1.. }, b'\r') | (At::Extension, b'\r') => At::SizeLf,
            (At::Size { digits: 1.. }, b';') => At::Extension,
            // 15 digits: the size and any sum of it stay far from overflowing.
            (At::Size { digits: digits @ ..15 }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                self.size = self.size * 16 + u64::from(digit);
                At::Size { digits: digits + 1 }
            }
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => At::Extension,
            (At::SizeLf, b'\n') if self.size == 0 => At::LineStart,
            (At::SizeLf, b'\n') => At::Data,
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { digits: 0 },
            (At::LineStart, b'\r') => At::EndLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::LineStart, b'!'..=b'~') | (At::Trailer, b'\t' | b' '..=b'~' | 0x80..) => At::Trailer,
            (At::TrailerLf, b'\n') => At::LineStart,
            (At::EndLf, b'\n') => At::End,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows `body` in pieces of `step` bytes.
    fn follow(body: &[u8], step: usize) -> Result<usize, Broken> {
        let mut chunks = Chunks::new();
        let mut total = 0;
        for piece in body.chunks(step) {
            let taken = chunks.follow(piece).map_err(|broken| Broken { at: total + broken.at })?;
            total += taken;
            if taken < piece.len() {
                break;
            }
        }
        assert!(chunks.ended(), "no end in {:?}", String::from_utf8_lossy(body));
        Ok(total)
    }

    #[test]
    fn finds_the_end_however_it_is_cut() {
        for (body, after) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "GET"),
            ("A;name=\"va lue\"\r\n0123456789\r\n1\r\n\r\r\n000\r\n\r\n", "\r\n"),
            ("1\r\nx\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\n", "more"),
        ] {
            let whole = format!("{body}{after}");
            for step in 1..=whole.len() {
                assert_eq!(follow(whole.as_bytes(), step), Ok(body.len()), "{body:?} by {step}");
            }
        }
    }

    #[test]
    fn refuses_what_may_be_read_in_two_ways() {
        for (body, at) in [
            ("\r\n", 0),
            (" 5\r\nhello\r\n", 0),
            ("+5\r\nhello\r\n", 0),
            ("0x5\r\nhello\r\n", 1),
            ("5 \r\nhello\r\n", 1),
            ("5\nhello\r\n", 1),
            ("5;a\nhello\r\n", 3),
            ("5\rhello\r\n", 2),
            ("5\r\nhelloX\r\n", 8),
            ("5\r\nhello\n0\r\n\r\n", 8),
            ("0000000000000005\r\nhello", 15),
            ("0\r\n\n", 3),
            ("0\r\n folded: x\r\n\r\n", 3),
            ("0\r\na: b\n\r\n", 7),
            ("0\r\n\rX", 4),
        ] {
            for step in 1..=body.len() {
                assert_eq!(follow(body.as_bytes(), step), Err(Broken { at }), "{body:?} by {step}");
            }
        }
    }
}
