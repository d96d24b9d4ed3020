//! Starlette's `TrustedHostMiddleware` and `HTTPSRedirectMiddleware`, for hosts that are plain names with or without a
//! port, or IPv4 addresses.

use fasterapi_runtime::RequestHead;
use http::{HeaderMap, StatusCode};

use super::{Verdict, plain, redirect};

/// A host that is not trusted but would be with `www.` before it may be sent there: the app says so.
pub(super) fn trusted(hosts: &[String], head: &RequestHead) -> Verdict {
    let Some(host) = redirect::host(head).filter(|host| redirect::is_plain_host(host)) else {
        return Verdict::Ask;
    };
    let name = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let matches = |pattern: &String| {
        name == *pattern || pattern.strip_prefix('*').is_some_and(|suffix| name.ends_with(suffix))
    };
    if hosts.iter().any(matches) {
        return Verdict::Pass;
    }
    if hosts.iter().any(|pattern| pattern.strip_prefix("www.") == Some(&name)) {
        return Verdict::Ask;
    }
    plain(StatusCode::BAD_REQUEST, HeaderMap::new(), "Invalid host header".to_owned())
}

/// To the same place by HTTPS, at its usual port where the client came by a usual one.
pub(super) fn https(head: &RequestHead, path: &str) -> Verdict {
    if head.scheme != "http" {
        return Verdict::Pass;
    }
    let answer = redirect::host(head).and_then(|host| {
        let host = secure_host(host)?;
        // Python's `urlsplit` reads the address anew; from other characters it would make something else.
        path.bytes()
            .all(|byte| byte.is_ascii_graphic())
            .then(|| redirect::to_url("https", &host, path, head))
            .flatten()
    });
    answer.map_or(Verdict::Ask, Verdict::Answer)
}

fn secure_host(host: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    if !redirect::is_plain_host(host) || !name.bytes().all(plain) {
        return None;
    }
    match port.map(str::parse::<u16>) {
        Some(Ok(80 | 443)) => Some(name.to_ascii_lowercase()),
        Some(Err(_)) => None,
        _ => Some(host.to_owned()),
    }
}
