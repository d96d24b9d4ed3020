//! Which content coding a client gets (RFC 9110, section 12.5.3).

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// The codings we have, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

const ALL: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

impl Coding {
    /// The coding that the client gives the highest weight; among equals, our order.
    pub(crate) fn preferred(headers: &HeaderMap) -> Option<Self> {
        let mut weights = [None; ALL.len()];
        let mut any = None;
        let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for (name, weight) in lines.flat_map(|line| line.split(',')).filter_map(item) {
            if name == "*" {
                any = Some(weight);
            }
            for (coding, slot) in ALL.iter().zip(&mut weights) {
                if coding.is_named(name) {
                    *slot = Some(weight);
                }
            }
        }
        let weighed = ALL.iter().zip(weights).map(|(coding, weight)| (*coding, weight.or(any).unwrap_or(0)));
        // `max_by_key` takes the last of equals.
        weighed
            .rev()
            .filter(|(_, weight)| *weight > 0)
            .max_by_key(|(_, weight)| *weight)
            .map(|(coding, _)| coding)
    }

    pub(crate) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }

    fn is_named(self, name: &str) -> bool {
        match self {
            Self::Zstd => name.eq_ignore_ascii_case("zstd"),
            Self::Brotli => name.eq_ignore_ascii_case("br"),
            Self::Gzip => name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip"),
        }
    }
}

/// A name and its weight in thousandths. An element with a malformed weight is passed over.
fn item(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';');
    let name = parts.next()?.trim();
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => {
            let (key, value) = parameter.split_once('=')?;
            if !key.trim().eq_ignore_ascii_case("q") {
                return None;
            }
            weight(value.trim())?
        }
    };
    (!name.is_empty()).then_some((name, weight))
}

/// `0`, `1`, with up to three decimals (RFC 9110, section 12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_weights_come_first_then_our_order() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, br", Some(Coding::Brotli)),
            ("GZIP", Some(Coding::Gzip)),
            ("x-gzip;q=0.2", Some(Coding::Gzip)),
            ("zstd;q=0.5, br;q=0.8, gzip;q=0.8", Some(Coding::Brotli)),
            ("zstd;q=0.5,gzip;q=1.0", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0.1, zstd;q=0", Some(Coding::Brotli)),
            ("*;q=0, gzip", Some(Coding::Gzip)),
            ("zstd;q=0.000, br;q=0", None),
            ("identity, deflate", None),
            ("", None),
            (";q=1", None),
            ("gzip;q=2, br;q=0.12345, zstd;level=9", None),
            ("br ; Q = 0.5", Some(Coding::Brotli)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(Coding::preferred(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(Coding::preferred(&headers), Some(Coding::Brotli));
        assert_eq!(Coding::preferred(&HeaderMap::new()), None);
    }
}
