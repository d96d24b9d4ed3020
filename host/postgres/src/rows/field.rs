//! Reading the bytes of a field.

/// Why a field cannot be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The bytes are not what the type's binary form says.
    #[error("the server's value is not in its type's binary form, or its text not in utf-8")]
    Corrupt,
    /// An anonymous record holds a value whose type only the server knows.
    #[error(
        "a record holds a value of the type with oid {0}, which is not built in: cast the record to text, or to a \
         named composite type"
    )]
    Foreign(u32),
    /// A composite type was altered behind the statement's back.
    #[error("a composite type changed after the session had first met it; the next statement will know")]
    Changed,
    /// Records within records without end.
    #[error("the value nests deeper than {MAX_DEPTH}")]
    Deep,
    /// The block is over its limit.
    #[error("the value is over the limit of a block")]
    Large,
}

/// How deep a value may nest: the type's own depth is bounded when it is looked up, that of records is not.
pub(super) const MAX_DEPTH: usize = 64;

/// The bytes of a field not read yet. Integers are big-endian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) rest: &'a [u8],
    depth: usize,
}

impl<'a> Field<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest, depth: 0 }
    }

    /// A value within this one.
    pub(crate) fn inner(&self, rest: &'a [u8]) -> Result<Self, DecodeError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(DecodeError::Deep) } else { Ok(Self { rest, depth }) }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Corrupt)?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(DecodeError::Corrupt)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_be_bytes)
    }

    /// A count or a length: never negative.
    pub(crate) fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.i32()?).map_err(|_| DecodeError::Corrupt)
    }

    /// A count of things that take `least` bytes each: no more than there can be.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.length()?;
        if count > self.rest.len() / least { Err(DecodeError::Corrupt) } else { Ok(count) }
    }

    /// A value with its length before it; the length -1 is null.
    pub(crate) fn nullable(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| DecodeError::Corrupt)?).map(Some),
        }
    }

    /// Nothing may be left over.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Corrupt) }
    }
}
