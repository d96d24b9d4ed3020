//! Follows a connection's bytes from message to message.

use memchr::memchr;

use super::chunks::{Broken, Chunks};
use super::head::{BodyFraming, judge, respelled};
use crate::Limits;
use crate::problem::Refusal;

/// Where in the stream of messages we are.
#[derive(Debug)]
pub(crate) struct Framing {
    at: At,
}

#[derive(Debug)]
enum At {
    /// In a head, whose first `scanned` bytes hold no end; `line` is where its current line begins.
    Head {
        scanned: usize,
        line: usize,
    },
    Body {
        left: u64,
    },
    Chunked(Chunks),
}

/// What can be said about some bytes.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Bytes that hyper may have.
    pub(crate) cleared: usize,
    /// What stands after them.
    pub(crate) next: Next,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, or the first part of a head: more is needed.
    More,
    /// A head of this length, to be scanned again as it is here.
    Respelled { length: usize, head: Vec<u8> },
    /// A head that is refused.
    Refused(Refusal),
    /// A body that is broken.
    BrokenBody,
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { at: At::Head { scanned: 0, line: 0 } }
    }

    /// Whether the next byte is the first of a message.
    pub(crate) fn between_messages(&self) -> bool {
        matches!(self.at, At::Head { scanned: 0, .. })
    }

    pub(crate) fn in_head(&self) -> bool {
        matches!(self.at, At::Head { .. })
    }

    /// Scans bytes that begin where the last scan's cleared bytes ended: a head is seen from its first byte
    /// again, a body is not.
    pub(crate) fn scan(&mut self, bytes: &[u8], limits: &Limits) -> Scan {
        let mut cleared = 0;
        loop {
            let rest = bytes.get(cleared..).unwrap_or_default();
            if rest.is_empty() {
                return Scan { cleared, next: Next::More };
            }
            match self.advance(rest, limits) {
                Ok(0) => return Scan { cleared, next: Next::More },
                Ok(length) => cleared += length,
                Err(Stop::Respelled { length, head }) => {
                    return Scan { cleared, next: Next::Respelled { length, head } };
                }
                Err(Stop::Refused(refusal)) => return Scan { cleared, next: Next::Refused(refusal) },
                Err(Stop::Broken(broken)) => {
                    return Scan { cleared: cleared + broken.at, next: Next::BrokenBody };
                }
            }
        }
    }

    /// The length of the part that `bytes` begins with: a whole head, or what there is of a body. 0 for a head
    /// that is not whole.
    fn advance(&mut self, bytes: &[u8], limits: &Limits) -> Result<usize, Stop> {
        match &mut self.at {
            At::Head { scanned, line } => {
                let Some(length) = find_end(bytes, scanned, line, limits)? else { return Ok(0) };
                let head = bytes.get(..length).unwrap_or_default();
                let judged = judge(head, limits);
                if judged == Err(Refusal::BAD_TARGET)
                    && let Some(head) = respelled(head)
                {
                    self.at = At::Head { scanned: 0, line: 0 };
                    return Err(Stop::Respelled { length, head });
                }
                self.at = match judged? {
                    BodyFraming::Length(0) => At::Head { scanned: 0, line: 0 },
                    BodyFraming::Length(left) => At::Body { left },
                    BodyFraming::Chunked => At::Chunked(Chunks::new()),
                };
                Ok(length)
            }
            At::Body { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.at = At::Head { scanned: 0, line: 0 };
                }
                Ok(taken)
            }
            At::Chunked(chunks) => {
                let taken = chunks.follow(bytes)?;
                if chunks.ended() {
                    self.at = At::Head { scanned: 0, line: 0 };
                }
                Ok(taken)
            }
        }
    }
}

enum Stop {
    Respelled { length: usize, head: Vec<u8> },
    Refused(Refusal),
    Broken(Broken),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// The length of the head that `bytes` begins with, if it is whole. Goes on where the last call stopped, so
/// that a head sent byte by byte is not read over and over.
fn find_end(
    bytes: &[u8],
    scanned: &mut usize,
    line: &mut usize,
    limits: &Limits,
) -> Result<Option<usize>, Refusal> {
    let limit = limits.header_bytes as usize;
    let window = bytes.get(..limit.min(bytes.len())).unwrap_or_default();
    while let Some(offset) = memchr(b'\n', window.get(*scanned..).unwrap_or_default()) {
        let feed = *scanned + offset;
        let text = window.get(*line..feed).unwrap_or_default();
        if !text.ends_with(b"\r") {
            return Err(Refusal::BARE_LINE_FEED);
        }
        let (blank, first) = (text.len() == 1, window.get(..*line).unwrap_or_default());
        *scanned = feed + 1;
        *line = feed + 1;
        // Empty lines before the request line are skipped (RFC 9112, section 2.2).
        if blank && first.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Ok(Some(feed + 1));
        }
    }
    *scanned = window.len();
    if window.len() < limit {
        return Ok(None);
    }
    // The request line alone fills the limit: it is the target that is too long.
    let over = if *line == 0 { Refusal::URI_TOO_LONG } else { Refusal::HEAD_TOO_LARGE };
    Err(over)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";

    /// Feeds a stream in pieces as the guard does; returns what was cleared and what stopped it.
    fn feed(stream: &[u8], step: usize) -> (usize, Next) {
        let (limits, mut framing) = (Limits::default(), Framing::new());
        let (mut held, mut total) = (Vec::new(), 0);
        for piece in stream.chunks(step) {
            held.extend_from_slice(piece);
            loop {
                let scan = framing.scan(&held, &limits);
                held.drain(..scan.cleared);
                total += scan.cleared;
                match scan.next {
                    Next::More => break,
                    Next::Respelled { length, head } => drop(held.splice(..length, head)),
                    stopped => return (total, stopped),
                }
            }
        }
        (total, Next::More)
    }

    #[test]
    fn follows_messages_however_they_are_cut() {
        let stream = [GET, POST, b"\r\n", CHUNKED, GET, POST].concat();
        for step in 1..=stream.len() {
            assert_eq!(feed(&stream, step), (stream.len(), Next::More), "by {step}");
        }
        assert_eq!(feed(&[POST, &GET[..10]].concat(), 7), (POST.len(), Next::More));
    }

    #[test]
    fn a_head_that_is_respelled_is_read_again() {
        let (sent, spelled) = (GET.to_vec(), GET.len() + 2 * 3);
        let sent = String::from_utf8(sent).unwrap().replace("/ ", "/\"<> ").into_bytes();
        let stream = [POST, &sent, &sent, POST].concat();
        for step in 1..=stream.len() {
            // Three bytes of the target, and what each of them becomes.
            let length = 2 * POST.len() + 2 * (spelled + 3);
            assert_eq!(feed(&stream, step), (length, Next::More), "by {step}");
        }
    }

    #[test]
    fn stops_where_it_goes_wrong() {
        let bare = b"GET / HTTP/1.1\r\nhost: a\n\r\n";
        let broken = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhiX";
        for step in 1..bare.len() {
            let refused = Next::Refused(Refusal::BARE_LINE_FEED);
            assert_eq!(feed(&[POST, bare].concat(), step), (POST.len(), refused), "by {step}");
            let stopped = feed(&[GET, broken].concat(), step);
            assert_eq!(stopped, (GET.len() + broken.len() - 1, Next::BrokenBody), "by {step}");
        }
    }

    #[test]
    fn a_head_has_a_limit() {
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\na: {}", "b".repeat(40_000));
        assert_eq!(feed(long.as_bytes(), 1000), (0, Next::Refused(Refusal::HEAD_TOO_LARGE)));
        let long = format!("GET /{}", "b".repeat(40_000));
        assert_eq!(feed(long.as_bytes(), 1000), (0, Next::Refused(Refusal::URI_TOO_LONG)));
        assert_eq!(feed("\r\n".repeat(20_000).as_bytes(), 1000), (0, Next::Refused(Refusal::HEAD_TOO_LARGE)));
    }
}
