//! Bytes that cross to and from a guest as text of one character a byte: `guest-sdk/python/HOST_PROTOCOL.md`.

/// The bytes of a latin-1 text. None where a character is no byte.
#[must_use]
pub fn latin1_bytes(text: String) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.into_bytes());
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_is_a_byte() {
        assert_eq!(latin1_bytes("plain".into()).unwrap(), b"plain");
        assert_eq!(latin1_bytes("\0a\u{e9}\u{ff}".into()).unwrap(), b"\0a\xe9\xff");
        assert_eq!(latin1_bytes("a\u{100}".into()), None);
    }
}
