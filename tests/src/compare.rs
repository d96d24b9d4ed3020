//! Comparing two servers' answers to the same request: status, headers and body must be equal. A compressed body is
//! compared by what a client unpacks: the machine's Python may have another build of zlib than the guest's.

use std::{collections::BTreeMap, fmt::Write, io::Read};

use flate2::read::MultiGzDecoder;
use http::{
    Method,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH},
};

use crate::{
    Host,
    http::{Answer, Ask, Protocol},
    uvicorn::Uvicorn,
};

/// What is no part of the app's answer. `date` and `server` are the server's own, the rest is about one connection
/// (RFC 9110, section 7.6.1): HTTP/2 has no such headers, and uvicorn frames HTTP/1.1 by itself.
const OWN: [&str; 5] = ["date", "server", "connection", "keep-alive", "transfer-encoding"];

/// [`compare_with`] the conformance app's uvicorn.
pub async fn compare(host: &Host, asks: &[Ask]) {
    compare_with(Uvicorn::shared().await, host, asks).await;
}

/// Sends the requests, in their order, to `uvicorn` and to `host`: by HTTP/1.1, then again by HTTP/2. Fails with all
/// differences found.
pub async fn compare_with(uvicorn: &Uvicorn, host: &Host, asks: &[Ask]) {
    let (uvicorn, host) = (uvicorn.client(), host.client());
    let mut report = String::new();
    for protocol in [Protocol::H1, Protocol::H2] {
        for ask in asks {
            let expected = uvicorn.send(ask.clone()).await;
            let found = host.send_by(protocol, ask.clone()).await;
            if let Some(difference) = difference(&ask.method, &expected, &found) {
                let _ = writeln!(report, "{} {} by {protocol:?}\n{difference}", ask.method, ask.target);
            }
        }
    }
    assert!(!asks.is_empty(), "nothing was compared");
    assert!(report.is_empty(), "uvicorn (-) and the host (+) differ\n{report}");
}

/// How two answers to `method` differ, line by line.
fn difference(method: &Method, expected: &Answer, found: &Answer) -> Option<String> {
    let (expected, mut found) = (unpacked(expected), unpacked(found));
    if *method != Method::HEAD
        && !expected.headers.contains_key(CONTENT_LENGTH)
        && declares_its_length(&found)
    {
        found.headers.remove(CONTENT_LENGTH);
    }
    let (expected, found) = (lines(&expected), lines(&found));
    let mut text = String::new();
    for line in expected.iter().filter(|line| !found.contains(line)) {
        let _ = writeln!(text, "  - {}", shown(line));
    }
    for line in found.iter().filter(|line| !expected.contains(line)) {
        let _ = writeln!(text, "  + {}", shown(line));
    }
    if text.is_empty() && expected != found {
        text.push_str("  the same headers, in another order\n");
    }
    Some(text).filter(|text| !text.is_empty())
}

/// The answer as a client reads it. One whose length is not its own stays as it is.
fn unpacked(answer: &Answer) -> Answer {
    let mut unpacked = answer.clone();
    let has_other_length = answer.headers.contains_key(CONTENT_LENGTH) && !declares_its_length(answer);
    let is_zipped = answer.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    if is_zipped && answer.body.is_empty() {
        unpacked.headers.remove(CONTENT_LENGTH);
    } else if is_zipped && !has_other_length {
        let mut text = Vec::new();
        if MultiGzDecoder::new(answer.body.as_ref()).read_to_end(&mut text).is_ok() {
            unpacked.headers.remove(CONTENT_LENGTH);
            unpacked.body = text.into();
        }
    }
    unpacked
}

/// uvicorn sends a whole body of undeclared length in chunks; the host, which sees that it is whole, declares it.
fn declares_its_length(answer: &Answer) -> bool {
    answer.headers.get(CONTENT_LENGTH).is_some_and(|value| *value == answer.body.len().to_string())
}

/// An answer as lines: headers by name, those of one name in their order.
fn lines(answer: &Answer) -> Vec<String> {
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &answer.headers {
        if !OWN.contains(&name.as_str()) {
            let value = value.as_bytes().escape_ascii().to_string();
            headers.entry(name.as_str()).or_default().push(if name == ALLOW {
                sorted(&value)
            } else {
                value
            });
        }
    }
    let mut lines = vec![format!("status {}", answer.status), format!("body whole: {}", answer.whole)];
    lines.extend(
        headers.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}"))),
    );
    lines.push(match std::str::from_utf8(&answer.body) {
        Ok(text) => format!("body {text}"),
        Err(_) => format!("body {}", answer.body.escape_ascii()),
    });
    lines
}

/// The order of the methods is that of a Python set, another in each process.
fn sorted(methods: &str) -> String {
    let mut methods: Vec<_> = methods.split(", ").collect();
    methods.sort_unstable();
    methods.join(", ")
}

fn shown(line: &str) -> String {
    let limit = 2000;
    if line.len() <= limit {
        return line.to_owned();
    }
    format!("{}… ({} bytes)", line.chars().take(limit).collect::<String>(), line.len())
}
