//! Writing CPython's `marshal` codes, as far as a result block needs them (CPython `Python/marshal.c`).
//!
//! Counts and lengths are 32-bit and signed on the reader's side; blocks are bounded far below that.

/// A block being written.
pub(crate) type Block = Vec<u8>;

pub(super) fn none(out: &mut Block) {
    out.push(b'N');
}

pub(super) fn bool(out: &mut Block, value: bool) {
    out.push(if value { b'T' } else { b'F' });
}

pub(super) fn i32(out: &mut Block, value: i32) {
    let [a, b, c, d] = value.to_le_bytes();
    out.extend_from_slice(&[b'i', a, b, c, d]);
}

/// Any integer: a 32-bit code when it fits, else digits of base 2^15.
pub(super) fn int(out: &mut Block, value: i128) {
    if let Ok(small) = i32::try_from(value) {
        return i32(out, small);
    }
    let magnitude = value.unsigned_abs();
    let count = (128 - magnitude.leading_zeros()).div_ceil(15) as i32;
    out.push(b'l');
    out.extend_from_slice(&(if value < 0 { -count } else { count }).to_le_bytes());
    for digit in 0..count {
        let digit = (magnitude >> (15 * digit)) as u16 & 0x7fff;
        out.extend_from_slice(&digit.to_le_bytes());
    }
}

pub(super) fn float(out: &mut Block, value: f64) {
    out.push(b'g');
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn bytes(out: &mut Block, value: &[u8]) {
    out.push(b's');
    length(out, value.len());
    out.extend_from_slice(value);
}

pub(super) fn text(out: &mut Block, value: &str) {
    match u8::try_from(value.len()) {
        Ok(short) if value.is_ascii() => out.extend_from_slice(&[b'z', short]),
        _ => {
            out.push(b'u');
            length(out, value.len());
        }
    }
    out.extend_from_slice(value.as_bytes());
}

pub(super) fn tuple(out: &mut Block, count: usize) {
    match u8::try_from(count) {
        Ok(short) => out.extend_from_slice(&[b')', short]),
        Err(_) => {
            out.push(b'(');
            length(out, count);
        }
    }
}

pub(super) fn list(out: &mut Block, count: usize) {
    out.push(b'[');
    length(out, count);
}

fn length(out: &mut Block, value: usize) {
    out.extend_from_slice(&(value as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_in_their_shortest_form() {
        let int = |value| {
            let mut out = Block::new();
            super::int(&mut out, value);
            out
        };
        assert_eq!(int(-1), b"i\xff\xff\xff\xff");
        assert_eq!(int(1 << 31), b"l\x03\0\0\0\0\0\0\0\x02\0");
        assert_eq!(int(-(1 << 45)), b"l\xfc\xff\xff\xff\0\0\0\0\0\0\x01\0");
        assert_eq!(int(i128::from(u64::MAX)), b"l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x0f\0");
    }
}
