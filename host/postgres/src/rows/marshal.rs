//! Writing CPython's `marshal` codes, as far as a result block needs them (CPython `Python/marshal.c`).
//!
//! Counts and lengths are 32-bit and signed on the reader's side; blocks are bounded far below that.

use super::field::DecodeError;

/// A finished block.
pub(crate) type Block = Vec<u8>;

/// A block being written, and the size that it may not grow over.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) bytes: Block,
    limit: usize,
}

impl Writer {
    pub(super) fn new(limit: usize) -> Self {
        Self::onto(Block::new(), limit)
    }

    /// Goes on behind what is written already, which counts.
    pub(super) fn onto(bytes: Block, limit: usize) -> Self {
        Self { bytes, limit }
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Asked once per value, so that what is packed larger than it came (a numeric of a hundred thousand zeros has
    /// ten bytes on the wire) is stopped soon.
    pub(super) fn check_room(&self) -> Result<(), DecodeError> {
        if self.bytes.len() > self.limit { Err(DecodeError::Large) } else { Ok(()) }
    }

    pub(super) fn none(&mut self) {
        self.bytes.push(b'N');
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.push(if value { b'T' } else { b'F' });
    }

    pub(super) fn i32(&mut self, value: i32) {
        let [a, b, c, d] = value.to_le_bytes();
        self.bytes.extend_from_slice(&[b'i', a, b, c, d]);
    }

    /// Any integer: a 32-bit code when it fits, else digits of base 2^15.
    pub(super) fn int(&mut self, value: i128) {
        if let Ok(small) = i32::try_from(value) {
            return self.i32(small);
        }
        let magnitude = value.unsigned_abs();
        let count = (128 - magnitude.leading_zeros()).div_ceil(15) as i32;
        self.bytes.push(b'l');
        self.bytes.extend_from_slice(&(if value < 0 { -count } else { count }).to_le_bytes());
        for digit in 0..count {
            let digit = (magnitude >> (15 * digit)) as u16 & 0x7fff;
            self.bytes.extend_from_slice(&digit.to_le_bytes());
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        self.bytes.push(b'g');
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn blob(&mut self, value: &[u8]) {
        self.bytes.push(b's');
        self.length(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        match u8::try_from(value.len()) {
            Ok(short) if value.is_ascii() => self.bytes.extend_from_slice(&[b'z', short]),
            _ => {
                self.bytes.push(b'u');
                self.length(value.len());
            }
        }
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// An ASCII text that `write` appends piece by piece.
    pub(super) fn ascii(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(b"z\0");
        let start = self.bytes.len();
        write(&mut self.bytes);
        let length = self.bytes.len() - start;
        match (u8::try_from(length), self.bytes.get_mut(start - 1)) {
            (Ok(short), Some(slot)) => *slot = short,
            // Too long for that code: made room for the other's, which is rare.
            _ => {
                let [a, b, c, d] = (length as u32).to_le_bytes();
                self.bytes.splice(start - 2..start, [b'u', a, b, c, d]);
            }
        }
    }

    pub(super) fn tuple(&mut self, count: usize) {
        match u8::try_from(count) {
            Ok(short) => self.bytes.extend_from_slice(&[b')', short]),
            Err(_) => {
                self.bytes.push(b'(');
                self.length(count);
            }
        }
    }

    pub(super) fn list(&mut self, count: usize) {
        self.bytes.push(b'[');
        self.length(count);
    }

    /// A dict: keys and values follow in turn, then [`end_dict`](Self::end_dict).
    pub(super) fn begin_dict(&mut self) {
        self.bytes.push(b'{');
    }

    pub(super) fn end_dict(&mut self) {
        self.bytes.push(b'0');
    }

    fn length(&mut self, value: usize) {
        self.bytes.extend_from_slice(&(value as u32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut out = Writer::new(usize::MAX);
        write(&mut out);
        out.bytes
    }

    #[test]
    fn integers_are_in_their_shortest_form() {
        let int = |value| written(|out| out.int(value));
        assert_eq!(int(-1), b"i\xff\xff\xff\xff");
        assert_eq!(int(1 << 31), b"l\x03\0\0\0\0\0\0\0\x02\0");
        assert_eq!(int(-(1 << 45)), b"l\xfc\xff\xff\xff\0\0\0\0\0\0\x01\0");
        assert_eq!(int(i128::from(u64::MAX)), b"l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x0f\0");
    }

    #[test]
    fn a_text_in_pieces_is_the_same_text() {
        for length in [0, 1, 255, 256, 1000] {
            let text = "7".repeat(length);
            let pieces = written(|out| out.ascii(|bytes| bytes.extend_from_slice(text.as_bytes())));
            assert_eq!(pieces, written(|out| out.text(&text)), "{length}");
        }
    }
}
