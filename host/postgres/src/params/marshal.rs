//! Reading a parameter block: one `marshal` tuple of CPython, as hostile input.
//!
//! Nothing is copied or built from the block: texts and bytes are slices of it, a list keeps its bytes and is walked
//! when it is encoded. So what a block costs is bound by its length and by [`MAX_ITEMS`]. Layout: CPython
//! `Python/marshal.c`, and the README of `fasterapi:postgres`.

/// The most parameters that the protocol can send (a 16-bit count).
const MAX_ITEMS: usize = 65_535;
/// The deepest nesting: an array of the server's six dimensions, of composites with arrays in them.
const MAX_DEPTH: usize = 16;
/// The digits (base 2^15) of the largest integer read: CPython's own limit of 4,300 decimal digits.
const MAX_INT_DIGITS: usize = 953;
/// The digits that all integers of more than 64 bits in one block may have together: printing them is quadratic work.
const MAX_BIG_DIGITS: usize = 1 << 16;

/// One value of a block.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Big(BigInt<'a>),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(List<'a>),
    Dict(Dict<'a>),
}

impl Value<'_> {
    /// What messages call the value's kind. They never show the value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(list) if list.tuple => "tuple",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }
}

/// An integer of more than 64 bits: its sign, and digits of base 2^15, two bytes each, least first.
#[derive(Clone, Copy)]
pub(crate) struct BigInt<'a> {
    pub(crate) negative: bool,
    digits: &'a [u8],
}

impl BigInt<'_> {
    /// The decimal digits, without sign.
    pub(crate) fn decimal(&self) -> String {
        const BASE: u64 = 1_000_000_000;
        // Little-endian, base 10^9; for each digit from the top: multiply by 2^15 and add it.
        let mut limbs: Vec<u64> = Vec::with_capacity(self.digits.len() / 3 + 1);
        for digit in self.digits.as_chunks::<2>().0.iter().rev() {
            let mut carry = u64::from(u16::from_le_bytes(*digit));
            for limb in &mut limbs {
                let value = (*limb << 15) + carry;
                *limb = value % BASE;
                carry = value / BASE;
            }
            if carry > 0 {
                limbs.push(carry);
            }
        }
        let mut text = limbs.last().map(u64::to_string).unwrap_or_else(|| "0".into());
        for limb in limbs.iter().rev().skip(1) {
            text.push_str(&format!("{limb:09}"));
        }
        text
    }
}

/// A checked list or tuple inside a block.
#[derive(Clone, Copy)]
pub(crate) struct List<'a> {
    count: usize,
    items: &'a [u8],
    /// Whether it was a tuple: in an array of what is made of parts, a tuple is one value and a list a dimension.
    pub(crate) tuple: bool,
}

impl<'a> List<'a> {
    /// How many items it has.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Its items. They were checked when the block was read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut reader = Reader::trusting(self.items);
        (0..self.count).map_while(move |_| reader.value(0).ok())
    }

    /// Its items, if there are `N`.
    pub(crate) fn items<const N: usize>(&self) -> Option<[Value<'a>; N]> {
        let mut items = [Value::None; N];
        if self.count != N {
            return None;
        }
        items.iter_mut().zip(self.iter()).for_each(|(slot, value)| *slot = value);
        Some(items)
    }
}

/// A checked dict inside a block: its keys are texts, its values texts or none.
#[derive(Clone, Copy)]
pub(crate) struct Dict<'a>(&'a [u8]);

impl<'a> Dict<'a> {
    /// Its keys and values. They were checked when the block was read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let mut reader = Reader::trusting(self.0);
        std::iter::from_fn(move || reader.pair().ok().flatten())
    }
}

/// Why a block is no parameter block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("the parameter block is cut off")]
    Short,
    #[error("the parameter block goes on behind its end")]
    Long,
    #[error("the parameter block is no tuple")]
    NoTuple,
    #[error("the parameter block holds the unknown code {0:#04x}")]
    Code(u8),
    #[error("the parameter block holds a text that is not valid unicode")]
    Unicode,
    #[error(
        "the parameter block holds a dict with other keys than texts, or other values than texts and nones"
    )]
    Dict,
    #[error("the parameter block nests deeper than {MAX_DEPTH}")]
    Deep,
    #[error("more than {MAX_ITEMS} parameters")]
    Many,
    #[error("the parameter block holds an int of more than 4300 decimal digits, or too many large ones")]
    BigInt,
    #[error("the parameter block holds an int that is not in its shortest form")]
    IntForm,
}

/// Reads the values of `block`.
pub(crate) fn read(block: &[u8]) -> Result<Vec<Value<'_>>, BlockError> {
    let mut reader = Reader { rest: block, big_digits: MAX_BIG_DIGITS, max_depth: MAX_DEPTH };
    let count = match reader.u8()? {
        b'(' => reader.length()?,
        b')' => usize::from(reader.u8()?),
        _ => return Err(BlockError::NoTuple),
    };
    if count > MAX_ITEMS {
        return Err(BlockError::Many);
    }
    // A value takes a byte or more: a count that lies reserves no more than the block has.
    let mut values = Vec::with_capacity(count.min(block.len()));
    for _ in 0..count {
        values.push(reader.value(0)?);
    }
    if reader.rest.is_empty() { Ok(values) } else { Err(BlockError::Long) }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Digits that integers of more than 64 bits may still have.
    big_digits: usize,
    max_depth: usize,
}

impl<'a> Reader<'a> {
    /// Of what was checked before.
    fn trusting(rest: &'a [u8]) -> Self {
        Self { rest, big_digits: usize::MAX, max_depth: usize::MAX }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BlockError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(BlockError::Short)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BlockError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(BlockError::Short)?;
        self.rest = tail;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, BlockError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn i32(&mut self) -> Result<i32, BlockError> {
        self.array().map(i32::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, BlockError> {
        usize::try_from(self.i32()?).map_err(|_| BlockError::Short)
    }

    /// The text behind `code`, if that is the code of one.
    fn text(&mut self, code: u8) -> Result<Option<&'a str>, BlockError> {
        let length = match code {
            b'u' | b't' | b'a' | b'A' => self.length()?,
            b'z' | b'Z' => usize::from(self.u8()?),
            _ => return Ok(None),
        };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| BlockError::Unicode)
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, BlockError> {
        Ok(match self.u8()? {
            b'N' => Value::None,
            b'F' => Value::Bool(false),
            b'T' => Value::Bool(true),
            b'i' => Value::Int(i64::from(self.i32()?)),
            b'l' => return self.long(),
            b'g' => Value::Float(f64::from_le_bytes(self.array()?)),
            b's' => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?)
            }
            code @ (b'(' | b'[') => {
                let count = self.length()?;
                return self.list(count, depth, code == b'(');
            }
            b')' => {
                let count = usize::from(self.u8()?);
                return self.list(count, depth, true);
            }
            b'{' => {
                let start = self.rest;
                while self.pair()?.is_some() {}
                Value::Dict(Dict(self.take_back(start)))
            }
            code => Value::Text(self.text(code)?.ok_or(BlockError::Code(code))?),
        })
    }

    /// A list: walked once here to check it and find its end.
    fn list(&mut self, count: usize, depth: usize, tuple: bool) -> Result<Value<'a>, BlockError> {
        if depth >= self.max_depth {
            return Err(BlockError::Deep);
        }
        let start = self.rest;
        if count > start.len() {
            return Err(BlockError::Short);
        }
        for _ in 0..count {
            self.value(depth + 1)?;
        }
        let items = self.take_back(start);
        Ok(Value::List(List { count, items, tuple }))
    }

    /// A dict's next key and value; none at its end, which has a code of its own.
    fn pair(&mut self) -> Result<Option<(&'a str, Option<&'a str>)>, BlockError> {
        if self.rest.first() == Some(&b'0') {
            self.take(1)?;
            return Ok(None);
        }
        let key = self.optional_text()?.ok_or(BlockError::Dict)?;
        Ok(Some((key, self.optional_text()?)))
    }

    fn optional_text(&mut self) -> Result<Option<&'a str>, BlockError> {
        match self.u8()? {
            b'N' => Ok(None),
            code => self.text(code)?.map(Some).ok_or(BlockError::Dict),
        }
    }

    /// What was read since `start`.
    fn take_back(&self, start: &'a [u8]) -> &'a [u8] {
        start.get(..start.len() - self.rest.len()).unwrap_or_default()
    }

    fn long(&mut self) -> Result<Value<'a>, BlockError> {
        let signed = self.i32()?;
        let count = signed.unsigned_abs() as usize;
        if count > MAX_INT_DIGITS {
            return Err(BlockError::BigInt);
        }
        let digits = self.take(count * 2)?;
        let pairs = digits.as_chunks::<2>().0;
        if pairs.iter().any(|digit| u16::from_le_bytes(*digit) >> 15 != 0) || digits.ends_with(&[0, 0]) {
            return Err(BlockError::IntForm);
        }
        let magnitude = |sum: i128, digit: &[u8; 2]| (sum << 15) | i128::from(u16::from_le_bytes(*digit));
        if count <= 5 {
            let value = pairs.iter().rev().fold(0, magnitude) * i128::from(signed.signum());
            if let Ok(value) = i64::try_from(value) {
                return Ok(Value::Int(value));
            }
        }
        self.big_digits = self.big_digits.checked_sub(count).ok_or(BlockError::BigInt)?;
        Ok(Value::Big(BigInt { negative: signed < 0, digits }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(block: &[u8]) -> BlockError {
        read(block).err().unwrap()
    }

    #[test]
    fn what_is_no_block_is_told() {
        assert_eq!(error(b""), BlockError::Short);
        assert_eq!(error(b"N"), BlockError::NoTuple);
        assert_eq!(error(b"(\x01\0\0\0"), BlockError::Short);
        assert_eq!(error(b"(\0\0\0\0N"), BlockError::Long);
        assert_eq!(error(b")\x01<"), BlockError::Code(b'<'));
        assert_eq!(error(b")\x01{z\x01a"), BlockError::Short);
        assert_eq!(error(b")\x01{z\x01az\x01b"), BlockError::Short);
        assert_eq!(error(b")\x01{z\x01aT0"), BlockError::Dict);
        assert_eq!(error(b")\x01{Nz\x01a0"), BlockError::Dict);
        assert_eq!(error(&[b")\x01".as_slice(), &b"{z\x01a".repeat(100_000)].concat()), BlockError::Dict);
        assert_eq!(error(b")\x01u\x01\0\0\0\xff"), BlockError::Unicode);
        assert_eq!(error(b"(\xff\xff\xff\xff"), BlockError::Short);
        assert_eq!(error(b"(\0\0\x01\0"), BlockError::Many);
        assert_eq!(error(b")\x01[\xff\xff\xff\x7fN"), BlockError::Short);
        assert_eq!(error(b")\x01l\x01\0\0\0\0\x80"), BlockError::IntForm);
        assert_eq!(error(b")\x01l\x01\0\0\0\0\0"), BlockError::IntForm);
        assert_eq!(error(b")\x01l\xff\xff\xff\x7f"), BlockError::BigInt);
        assert_eq!(error(b")\x01l\0\0\0\x80"), BlockError::BigInt);
        let deep = [b")\x01".as_slice(), &b")\x01".repeat(20), b"N"].concat();
        assert_eq!(error(&deep), BlockError::Deep);
        let large = [b"l\xb9\x03\0\0".as_slice(), &b"\x01\0".repeat(953)].concat();
        let block = [b")\x46".as_slice(), &large.repeat(70)].concat();
        assert_eq!(error(&block), BlockError::BigInt);
    }

    #[test]
    fn integers_of_any_size_are_read() {
        let int = |digits: &[u16], sign: i32| {
            let mut block = b")\x01l".to_vec();
            block.extend((digits.len() as i32 * sign).to_le_bytes());
            block.extend(digits.iter().flat_map(|d| d.to_le_bytes()));
            block
        };
        let one = |block: &[u8]| match read(block).unwrap().remove(0) {
            Value::Int(value) => value.to_string(),
            Value::Big(big) => format!("{}{}", if big.negative { "-" } else { "" }, big.decimal()),
            _ => unreachable!(),
        };
        assert_eq!(one(&int(&[0, 0, 0, 0, 8], -1)), i64::MIN.to_string());
        assert_eq!(one(&int(&[0, 0, 0, 0, 8], 1)), "9223372036854775808");
        assert_eq!(one(&int(&[0x7fff; 9], -1)), "-43556142965880123323311949751266331066367");
        assert_eq!(one(&int(&[], 1)), "0");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(block in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&block);
        }

        #[test]
        fn any_codes_are_read_or_refused(
            parts in proptest::collection::vec(
                (prop::sample::select(b"NTFilgsu([tzZaA){0".to_vec()), any::<u8>(), 0..3_u8), 0..200
            ),
        ) {
            let mut block = vec![b')', parts.len() as u8];
            for (code, byte, zeros) in parts {
                block.push(code);
                block.push(byte % 16);
                block.resize(block.len() + usize::from(zeros), 0);
            }
            if let Ok(values) = read(&block) {
                for value in values {
                    if let Value::List(list) = value {
                        prop_assert_eq!(list.iter().count(), list.len());
                    }
                }
            }
        }
    }
}
