//! The messages that the driver sends, and the one of them that is changed.
//!
//! The driver ends the messages that start a COPY from the client with a Sync, and the data with another. The server
//! takes the first for nothing when it has begun to copy; when it has refused the COPY it answers both, and the driver,
//! which expects one answer, breaks the connection, and with it a transaction that could go on from a savepoint. So
//! the first becomes a Flush, as the protocol wants it ("the frontend should not issue a Sync until CopyDone or CopyFail":
//! PostgreSQL documentation, "COPY Operations"). It has the same form: only its type byte differs.

const EXECUTE: u8 = b'E';
const SYNC: u8 = b'S';
pub(super) const FLUSH: &[u8] = b"H";

/// The position in the stream of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing {
    /// The first message, which asks for the session, has no type byte.
    started: bool,
    header: [u8; 5],
    /// Bytes of the header that are there.
    filled: usize,
    /// Bytes of the body still to come.
    body: usize,
    hold: Hold,
}

/// Which Sync is to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    None,
    /// That behind the next Execute: before it go the Syncs of statements that are being closed.
    AfterExecute,
    Next,
}

impl Outgoing {
    /// The Sync behind the next Execute is to be changed.
    pub(super) fn hold(&mut self) {
        self.hold = Hold::AfterExecute;
    }

    /// Where in `bytes`, which come next, the Sync to be changed begins.
    pub(super) fn find(mut self, bytes: &[u8]) -> Option<usize> {
        if self.hold == Hold::None { None } else { self.walk(bytes) }
    }

    /// Notes that the Sync which comes next goes as something else.
    pub(super) fn changed(&mut self) {
        self.hold = Hold::None;
    }

    /// Follows `bytes`. Stops before the Sync to be changed, and tells where.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&next) = bytes.get(at) {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len() - at);
                self.body -= skipped;
                at += skipped;
                continue;
            }
            if self.filled == 0 {
                if self.hold == Hold::Next && next == SYNC {
                    return Some(at);
                }
                self.filled = usize::from(!self.started);
            }
            if let Some(slot) = self.header.get_mut(self.filled) {
                *slot = next;
            }
            self.filled += 1;
            at += 1;
            if self.filled == self.header.len() {
                self.message();
            }
        }
        None
    }

    /// A header is complete.
    fn message(&mut self) {
        let [kind, a, b, c, d] = self.header;
        // The length counts itself, not the type byte.
        self.body = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
        self.filled = 0;
        if self.started && kind == EXECUTE && self.hold == Hold::AfterExecute {
            self.hold = Hold::Next;
        }
        self.started = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = b"\0\0\0\x08\0\x03\0\0";
    const CLOSE: &[u8] = b"C\0\0\0\x07Sa\0S\0\0\0\x04";
    const RUN: &[u8] = b"B\0\0\0\x06S\0E\0\0\0\x09\0\0\0\0SS\0\0\0\x04";
    const NEXT: &[u8] = b"S\0\0\0\x04";

    /// What goes out when `size` bytes are written at a time, the Sync held from the second part on.
    fn sent(parts: [&[u8]; 2], size: usize) -> Vec<u8> {
        let (mut outgoing, mut sent) = (Outgoing::default(), Vec::new());
        outgoing.walk(parts[0]);
        outgoing.hold();
        let mut rest = parts[1];
        while !rest.is_empty() {
            let offered = &rest[..size.min(rest.len())];
            let part = match outgoing.find(offered) {
                Some(0) => {
                    outgoing.changed();
                    FLUSH
                }
                Some(at) => &offered[..at],
                None => offered,
            };
            sent.extend_from_slice(part);
            let (gone, left) = rest.split_at(part.len());
            assert_eq!(outgoing.walk(gone), None);
            rest = left;
        }
        sent
    }

    #[test]
    fn one_sync_becomes_a_flush_however_the_stream_is_cut() {
        let parts = [START, &[CLOSE, RUN, NEXT, RUN, NEXT].concat()];
        let flushed = RUN.len() - 5;
        let mut wanted = parts[1].to_vec();
        wanted[CLOSE.len() + flushed] = b'H';
        for size in 1..=parts[1].len() {
            assert_eq!(sent(parts, size), wanted, "cut every {size}");
        }
    }
}
