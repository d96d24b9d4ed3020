//! Comparing two servers' answers to the same request: status, headers and body must be equal.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    Host,
    http::{Answer, Ask, Protocol},
    uvicorn::Uvicorn,
};

/// What is no part of the app's answer. `date` and `server` are the server's own, the rest is about one connection
/// (RFC 9110, section 7.6.1): HTTP/2 has no such headers, and uvicorn frames HTTP/1.1 by itself.
const OWN: [&str; 5] = ["date", "server", "connection", "keep-alive", "transfer-encoding"];

/// Sends each request to uvicorn, and to the host by HTTP/1.1 and HTTP/2. Fails with all differences found.
pub async fn compare(asks: impl IntoIterator<Item = Ask>) {
    let (uvicorn, host) = (Uvicorn::shared().await.client(), Host::conformance().await.client());
    let mut report = String::new();
    let mut count = 0;
    for ask in asks {
        count += 1;
        let expected = uvicorn.send(ask.clone()).await;
        for protocol in [Protocol::H1, Protocol::H2] {
            let found = host.send_by(protocol, ask.clone()).await;
            if let Some(difference) = difference(&expected, &found) {
                let _ = writeln!(report, "{} {} by {protocol:?}\n{difference}", ask.method, ask.target);
            }
        }
    }
    assert!(count > 0, "nothing was compared");
    assert!(report.is_empty(), "uvicorn (-) and the host (+) differ\n{report}");
}

/// How two answers differ, line by line.
#[must_use]
pub fn difference(expected: &Answer, found: &Answer) -> Option<String> {
    let (expected, found) = (lines(expected), lines(found));
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

/// An answer as lines: headers by name, those of one name in their order.
fn lines(answer: &Answer) -> Vec<String> {
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &answer.headers {
        if !OWN.contains(&name.as_str()) {
            headers.entry(name.as_str()).or_default().push(value.as_bytes().escape_ascii().to_string());
        }
    }
    let mut lines = vec![format!("status {}", answer.status), format!("body whole: {}", answer.whole)];
    lines.extend(headers.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}"))));
    lines.push(match std::str::from_utf8(&answer.body) {
        Ok(text) => format!("body {text}"),
        Err(_) => format!("body {}", answer.body.escape_ascii()),
    });
    lines
}

fn shown(line: &str) -> String {
    let limit = 2000;
    if line.len() <= limit {
        return line.to_owned();
    }
    format!("{}… ({} bytes)", line.chars().take(limit).collect::<String>(), line.len())
}
