//! Frames, as the crate's doc describes them.

use std::time::Duration;

use tokio_util::codec::LengthDelimitedCodec;

/// Most bytes of one frame that is read: twice what a statement and its parameters may have by default, and more.
const MOST: usize = 64 << 20;
const NONE: u32 = u32::MAX;

/// Takes frames out of a stream.
pub(crate) fn frames() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().little_endian().max_frame_length(MOST).new_codec()
}

/// The fields of a frame that was read, in their order.
#[derive(Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// A frame that this program's own other half would not write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Fields<'a> {
    /// The code of a frame, and its fields.
    pub(crate) fn of(frame: &'a [u8]) -> Result<(u8, Self), Malformed> {
        frame.split_first().map(|(code, rest)| (*code, Self(rest))).ok_or(Malformed)
    }

    pub(crate) fn optional(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let (length, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        let length = u32::from_le_bytes(*length);
        if length == NONE {
            self.0 = rest;
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Some(value))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        self.optional()?.ok_or(Malformed)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.optional()?.is_some())
    }

    pub(crate) fn number(&mut self) -> Result<u32, Malformed> {
        self.bytes()?.try_into().map(u32::from_le_bytes).map_err(|_| Malformed)
    }
}

impl Fields<'_> {
    /// A time limit in milliseconds; 0 is none.
    pub(crate) fn timeout(&mut self) -> Result<Duration, Malformed> {
        Ok(match self.number()? {
            0 => Duration::MAX,
            millis => Duration::from_millis(millis.into()),
        })
    }
}

/// A frame to be written.
#[derive(Debug)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    pub(crate) fn new(code: u8) -> Self {
        Self(vec![0, 0, 0, 0, code])
    }

    #[must_use]
    pub(crate) fn with(mut self, value: Option<&[u8]>) -> Self {
        let length = value.map_or(NONE, |value| u32::try_from(value.len()).unwrap_or(NONE));
        self.0.extend(length.to_le_bytes());
        self.0.extend(value.unwrap_or_default());
        self
    }

    /// The bytes, with the length in front.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(head) = self.0.first_chunk_mut() {
            *head = length.to_le_bytes();
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use tokio_util::codec::FramedRead;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read() {
        let sent =
            Frame::new(7).with(Some(b"ab")).with(None).with(Some(b"")).with(Some(&[1, 1, 0, 0])).finish();
        let mut stream = FramedRead::new(sent.as_slice(), frames());
        let frame = stream.try_next().await.unwrap().unwrap();
        let (code, mut fields) = Fields::of(&frame).unwrap();
        assert_eq!((code, fields.text(), fields.flag()), (7, Ok("ab"), Ok(false)));
        assert_eq!((fields.flag(), fields.number()), (Ok(true), Ok(257)));
        assert_eq!(fields.bytes(), Err(Malformed));
        assert_eq!(stream.try_next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_frame_has_a_bound() {
        let length = u32::try_from(MOST + 1).unwrap().to_le_bytes();
        let error = FramedRead::new(length.as_slice(), frames()).try_next().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_field_ends_within_its_frame() {
        let frame = [1, 3, 0, 0, 0, b'a', b'b'];
        assert_eq!(Fields::of(&frame).unwrap().1.bytes(), Err(Malformed));
        assert_eq!(Fields::of(&[]).unwrap_err(), Malformed);
    }
}
