//! The frames of `fasterapi:websocket`: a kind, a length (u32, little-endian), and that many bytes.
//!
//! What comes from a guest is hostile: a message goes on in parts of what was read at once, whatever length it claims, and of a close no
//! more is kept than may be sent.

use bytes::{BufMut, Bytes, BytesMut};
use fasterapi_edge::websocket::{Close, Kind, Received, Sent};

use crate::error::InvokeError;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// A code and the longest reason.
const MAX_CLOSE: usize = 2 + 123;

/// A message of up to this many bytes is copied behind its header; a longer one follows it.
const COPIED: usize = 16 * 1024;

/// What the guest is to read: the first bytes, and what follows them.
pub(super) fn pack(received: Received) -> (Bytes, Option<Bytes>) {
    let (kind, data) = match received {
        Received::Message(Kind::Text, data) => (TEXT, data),
        Received::Message(Kind::Binary, data) => (BINARY, data),
        Received::Close(close) => (CLOSE, close_payload(&close)),
    };
    let mut packed = BytesMut::with_capacity(5 + data.len().min(COPIED));
    packed.put_u8(kind);
    packed.put_u32_le(u32::try_from(data.len()).unwrap_or(u32::MAX));
    if data.len() > COPIED {
        return (packed.freeze(), Some(data));
    }
    packed.put_slice(&data);
    (packed.freeze(), None)
}

fn close_payload(close: &Close) -> Bytes {
    let mut payload = BytesMut::with_capacity(2 + close.reason.len());
    payload.put_u16_le(close.code);
    payload.put_slice(close.reason.as_bytes());
    payload.freeze()
}

/// Where a reader of a guest's frames stands. Reads may split them anywhere.
#[derive(Debug, Default)]
pub(super) struct Reader {
    header: Vec<u8>,
    at: At,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Header,
    Message {
        kind: Kind,
        first: bool,
        left: usize,
    },
    Close {
        payload: Vec<u8>,
        left: usize,
    },
    End,
}

impl Reader {
    /// Takes a step into `bytes`: how many of them it took, and what they complete. A message's part has at most `max` bytes.
    pub(super) fn step(&mut self, bytes: &[u8], max: usize) -> Result<(usize, Option<Sent>), InvokeError> {
        match &mut self.at {
            At::Header => self.header(bytes),
            At::Message { kind, first, left } => {
                let taken = bytes.len().min(*left).min(max);
                *left -= taken;
                let data = Bytes::copy_from_slice(bytes.get(..taken).unwrap_or_default());
                let part = Sent::Part { kind: *kind, first: *first, last: *left == 0, data };
                *first = false;
                if *left == 0 {
                    self.at = At::Header;
                }
                Ok((taken, Some(part)))
            }
            At::Close { payload, left } => {
                let taken = bytes.len().min(*left);
                payload.extend_from_slice(bytes.get(..taken).unwrap_or_default());
                *left -= taken;
                let close = if *left == 0 { Some(Sent::Close(close(payload)?)) } else { None };
                if close.is_some() {
                    self.at = At::End;
                }
                Ok((taken, close))
            }
            At::End => Ok((bytes.len(), None)),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<(usize, Option<Sent>), InvokeError> {
        let taken = bytes.len().min(5 - self.header.len());
        self.header.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        let [kind, a, b, c, d] = *self.header else { return Ok((taken, None)) };
        self.header.clear();
        let left = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let kind = match kind {
            TEXT => Kind::Text,
            BINARY => Kind::Binary,
            CLOSE if (2..=MAX_CLOSE).contains(&left) => {
                self.at = At::Close { payload: Vec::with_capacity(left), left };
                return Ok((taken, None));
            }
            _ => return Err(InvokeError::Malformed("a WebSocket frame of no known kind")),
        };
        if left == 0 {
            return Ok((taken, Some(Sent::Part { kind, first: true, last: true, data: Bytes::new() })));
        }
        self.at = At::Message { kind, first: true, left };
        Ok((taken, None))
    }
}

fn close(payload: &[u8]) -> Result<Close, InvokeError> {
    let malformed = InvokeError::Malformed("the close of a WebSocket");
    let Some((code, reason)) = payload.split_first_chunk() else { return Err(malformed) };
    let reason = std::str::from_utf8(reason).map_err(|_| malformed)?;
    Ok(Close { code: u16::from_le_bytes(*code), reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `stream` in reads of `size` bytes: messages with their parts joined, then the close.
    fn read(stream: &[u8], size: usize) -> Result<Vec<(String, bool)>, String> {
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        for mut read in stream.chunks(size) {
            while !read.is_empty() {
                let (taken, sent) = reader.step(read, 3).map_err(|error| error.to_string())?;
                read = &read[taken..];
                match sent {
                    Some(Sent::Part { kind, first, last, data }) => {
                        if first {
                            found.push((format!("{kind:?} "), false));
                        }
                        let (text, whole) = found.last_mut().unwrap();
                        text.push_str(std::str::from_utf8(&data).unwrap());
                        *whole = last;
                    }
                    Some(Sent::Close(close)) => {
                        found.push((format!("{} {}", close.code, close.reason), true))
                    }
                    None => {}
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_may_be_split_anywhere() {
        let stream = b"\x01\x05\0\0\0hello\x02\0\0\0\0\x02\x04\0\0\0abcd\x08\x04\0\0\0\xe8\x03byjunk";
        let wanted = [("Text hello", true), ("Binary ", true), ("Binary abcd", true), ("1000 by", true)];
        let wanted: Vec<_> = wanted.map(|(text, whole)| (text.to_owned(), whole)).into();
        for size in 1..=stream.len() {
            assert_eq!(read(stream, size).as_ref(), Ok(&wanted), "{size}");
        }
        assert_eq!(read(b"\x01\xff\xff\xff\xffx", 2), Ok(vec![("Text x".to_owned(), false)]));
    }

    #[test]
    fn hostile_frames_are_refused() {
        let long = [&b"\x08\x7e\0\0\0"[..], &[b'x'; 200]].concat();
        for stream in
            [&b"\0\0\0\0\0"[..], b"\x09\0\0\0\0", b"\x08\x01\0\0\0a", b"\x08\x03\0\0\0\xe8\x03\xff", &long]
        {
            assert!(read(stream, 7).is_err(), "{stream:?}");
        }
    }

    #[test]
    fn what_is_packed_is_read() {
        let data = Bytes::from_static(b"hi");
        assert_eq!(pack(Received::Message(Kind::Text, data)).0, &b"\x01\x02\0\0\0hi"[..]);
        let close = Close { code: 1000, reason: "by".to_owned() };
        assert_eq!(pack(Received::Close(close)).0, &b"\x08\x04\0\0\0\xe8\x03by"[..]);
        let (head, rest) = pack(Received::Message(Kind::Binary, Bytes::from(vec![0; COPIED + 1])));
        assert_eq!(
            (head.as_ref(), rest.map(|rest| rest.len())),
            (&b"\x02\x01\x40\0\0"[..], Some(COPIED + 1))
        );
    }
}
