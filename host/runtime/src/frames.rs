//! The framing of a streamed response: `length` (u32, little-endian) and that many bytes, again and again; a length
//! of zero says that the body is whole. A stream that closes without it was cut.

/// Where a reader of frames stands. Reads may split frames anywhere.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    length: [u8; 4],
    length_bytes: usize,
    left: usize,
    whole: bool,
}

/// What the start of some bytes is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This many bytes belong to a length.
    Length(usize),
    /// This many bytes belong to the body.
    Body(usize),
    /// The body is whole; what follows is not looked at.
    End,
}

impl Frames {
    /// Takes a step into `bytes`, of which there is at least one. A step into the body takes at most `max`.
    pub(crate) fn step(&mut self, bytes: &[u8], max: usize) -> Step {
        if self.whole {
            return Step::End;
        }
        if self.left > 0 {
            let taken = self.left.min(bytes.len()).min(max);
            self.left -= taken;
            return Step::Body(taken);
        }
        let room = self.length.iter_mut().skip(self.length_bytes);
        let taken = room.zip(bytes).map(|(slot, byte)| *slot = *byte).count();
        self.length_bytes += taken;
        if self.length_bytes == self.length.len() {
            self.length_bytes = 0;
            self.left = usize::try_from(u32::from_le_bytes(self.length)).unwrap_or(usize::MAX);
            self.whole = self.left == 0;
        }
        Step::Length(taken)
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `stream` in reads of `size` bytes; the body, and whether it is whole.
    fn read(stream: &[u8], size: usize) -> (Vec<u8>, bool) {
        let (mut frames, mut body) = (Frames::default(), Vec::new());
        for mut read in stream.chunks(size) {
            while !read.is_empty() {
                match frames.step(read, 3) {
                    Step::Length(n) => read = &read[n..],
                    Step::Body(n) => {
                        body.extend(&read[..n]);
                        read = &read[n..];
                    }
                    Step::End => break,
                }
            }
        }
        (body, frames.is_whole())
    }

    #[test]
    fn frames_may_be_split_anywhere() {
        let stream = b"\x05\0\0\0hello\x01\0\0\0!\0\0\0\0";
        for size in 1..=stream.len() {
            assert_eq!(read(stream, size), (b"hello!".to_vec(), true), "{size}");
            assert!(!read(&stream[..stream.len() - 1], size).1);
        }
        assert_eq!(read(b"\0\0\0\0junk", 3), (vec![], true));
        assert_eq!(read(b"\xff\xff\xff\xffx", 2), (b"x".to_vec(), false));
    }
}
