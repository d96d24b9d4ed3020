//! Texts, and bytes in hex.

use crate::rows::DecodeError;

/// The text of a field: of a database without an encoding it may be any bytes.
pub(super) fn utf8(raw: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(raw).map_err(|_| DecodeError::Corrupt)
}

/// Appends a text within a JSON string (`escape_json` in PostgreSQL's `json.c`).
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = first(rest, |byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or_default();
        out.extend_from_slice(plain);
        let Some((byte, behind)) = special.split_first() else { return };
        let short = match byte {
            b'"' | b'\\' => *byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(&[b'0', b'0', nibble(byte >> 4), nibble(byte & 15)]);
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Where the first such byte is. Most texts have none, so it looks at many at a time.
pub(super) fn first(bytes: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let has_it = |chunk: &[u8; 16]| chunk.iter().fold(false, |found, byte| found | is_it(*byte));
    match chunks.iter().position(has_it) {
        Some(index) => {
            let chunk = chunks.get(index)?;
            chunk.iter().position(|byte| is_it(*byte)).map(|at| index * 16 + at)
        }
        None => rest.iter().position(|byte| is_it(*byte)).map(|at| chunks.len() * 16 + at),
    }
}

pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.extend_from_slice(&[nibble(byte >> 4), nibble(byte & 15)]);
    }
}

const fn nibble(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

pub(super) fn uuid([a, b, c, d, e, f, g, h, rest @ ..]: [u8; 16], out: &mut Vec<u8>) {
    let [i, j, node @ ..] = rest;
    hex(&[a, b, c, d], out);
    for group in [[e, f], [g, h], [i, j]] {
        out.push(b'-');
        hex(&group, out);
    }
    out.push(b'-');
    hex(&node, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_wherever_it_stands() {
        for before in 0..40 {
            let plain = "ü".repeat(before / 2) + &"x".repeat(before % 2);
            let mut out = Vec::new();
            escape(&format!("{plain}\"{plain}\u{1}\n\u{7f}{plain}"), &mut out);
            let expected = format!("{plain}\\\"{plain}\\u0001\\n\u{7f}{plain}");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_uuid_has_its_dashes() {
        let mut out = Vec::new();
        uuid(std::array::from_fn(|at| at as u8 * 17), &mut out);
        assert_eq!(out, b"00112233-4455-6677-8899-aabbccddeeff");
    }
}
