//! Requests as text, so that a table of them reads like one. A case is a line with a method and a target, and below it:
//!
//! - `name: value`, a header
//! - `json> {…}`, `form> a=b`, `text> …`: a body of that kind
//! - `body> …`: a body without a kind of its own; several lines are one body
//! - `part> …`: one part of a body of unknown length
//! - `# …`, a comment; empty lines mean nothing
//!
//! In values and bodies `\r \n \t \\ \xNN` are escapes.

use crate::http::{Ask, ask};

/// Reads the requests of a text.
#[must_use]
pub fn parse(text: &str) -> Vec<Ask> {
    let mut cases: Vec<Ask> = Vec::new();
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        match line.split_once(' ') {
            Some((method, target)) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                cases.push(ask(method, target));
            }
            _ => {
                let case = cases.pop().unwrap_or_else(|| panic!("`{line}` belongs to no request"));
                cases.push(with_line(case, line));
            }
        }
    }
    cases
}

fn with_line(mut case: Ask, line: &str) -> Ask {
    let text = |prefix: &str| {
        line.strip_prefix(prefix).map(|rest| unescaped(rest.strip_prefix(' ').unwrap_or(rest)))
    };
    if let Some(body) = text("json>") {
        return case.body("application/json", body);
    }
    if let Some(body) = text("form>") {
        return case.body("application/x-www-form-urlencoded", body);
    }
    if let Some(body) = text("text>") {
        return case.body("text/plain", body);
    }
    if let Some(more) = text("body>") {
        let body = [case.parts.pop().unwrap_or_default().as_ref(), &more].concat();
        return case.body("", body);
    }
    if let Some(part) = text("part>") {
        let parts: Vec<_> =
            case.parts.iter().filter(|part| !part.is_empty()).map(|part| part.to_vec()).collect();
        return case.parts(parts.into_iter().chain([part]));
    }
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("`{line}` is no header and no body"));
    case.header(name, unescaped(value.trim_start()))
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                Some(b'\\') => b'\\',
                other => panic!("unknown escape {other:?} in `{text}`"),
            },
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let text = "# comment\nGET /a?b=c\nx-h: \\xe9\nx-h: 2\n\nPOST /b\njson> {\"a\": \"\\\\n\"}\nPUT /c\nbody> a\\r\\n\nbody> b\nPUT /d\npart> 1\npart> 2\n";
        let cases = parse(text);
        assert_eq!(cases.len(), 4);
        let values: Vec<_> =
            cases[0].headers.get_all("x-h").iter().map(|value| value.as_bytes().to_vec()).collect();
        assert_eq!(values, [b"\xe9".to_vec(), b"2".to_vec()]);
        assert_eq!((cases[1].parts[0].as_ref(), cases[1].headers.len()), (&br#"{"a": "\n"}"#[..], 1));
        assert_eq!(cases[2].parts, ["a\r\nb"]);
        assert_eq!(cases[3].parts, ["1", "2", ""]);
    }
}
