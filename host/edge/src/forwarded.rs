//! What a proxy in front of this server says of the client behind it: `X-Forwarded-For` and `X-Forwarded-Proto`, read as
//! uvicorn reads them. Anybody can send these fields, so they count only where the connection comes from a proxy that
//! the operator trusts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::{Peer, Scheme};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies whose word is taken. Default: those on this machine, at the addresses 127.0.0.1 and ::1.
///
/// Read from a text: addresses and networks (`10.0.0.0/8`) with commas between them, `*` for every one, nothing for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxies {
    /// Whoever connects. The client is then the first that is named, which the client itself may have written: for a
    /// server that only a proxy can reach, and whose proxy clears the field.
    All,
    /// Those of these networks.
    Of(Vec<IpNet>),
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::Of(vec![IpAddr::from(Ipv4Addr::LOCALHOST).into(), IpAddr::from(Ipv6Addr::LOCALHOST).into()])
    }
}

/// A text that names no proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address and no network; write `10.0.0.7`, `10.0.0.0/8`, or `*` for all")]
pub struct NoProxies(String);

impl FromStr for TrustedProxies {
    type Err = NoProxies;

    fn from_str(text: &str) -> Result<Self, NoProxies> {
        let mut networks = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name == "*" {
                return Ok(Self::All);
            }
            let network = name.parse().or_else(|_| name.parse().map(|ip: IpAddr| ip.into()));
            networks.push(network.map_err(|_| NoProxies(name.to_owned()))?);
        }
        Ok(Self::Of(networks))
    }
}

impl TrustedProxies {
    /// Whether a connection from `ip` comes from one of them.
    pub(crate) fn contain(&self, ip: IpAddr) -> bool {
        match self {
            Self::All => true,
            // A socket for IPv6 sees IPv4 as `::ffff:…`.
            Self::Of(networks) => networks.iter().any(|network| network.contains(&ip.to_canonical())),
        }
    }

    /// Who asks, when a trusted proxy connected and sent `headers`. The last client that is no trusted proxy itself: what
    /// stands before it was not written by one. A field that is missing, or that does not say it, changes nothing.
    pub(crate) fn peer(&self, proxy: Peer, headers: &HeaderMap) -> Peer {
        let remote = self.client(headers).unwrap_or(proxy.remote);
        let scheme = headers.get_all(PROTO).iter().next_back().and_then(scheme).unwrap_or(proxy.scheme);
        Peer { remote, scheme, ..proxy }
    }

    fn client(&self, headers: &HeaderMap) -> Option<SocketAddr> {
        let fields = headers.get_all(FOR).iter().flat_map(names);
        if *self == Self::All {
            return fields.map(address).next()?;
        }
        let mut furthest = None;
        for name in fields.rev() {
            let client = address(name)?;
            furthest = Some(client);
            if !self.contain(client.ip()) {
                break;
            }
        }
        furthest
    }
}

/// The names in a list (RFC 9110, section 5.6.1). One that is no text names nobody.
fn names(field: &HeaderValue) -> impl DoubleEndedIterator<Item = &str> {
    field.to_str().unwrap_or("?").split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// An address, with or without a port; an IPv6 address with a port is in brackets.
fn address(name: &str) -> Option<SocketAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0)).or_else(|_| name.parse()).ok()
}

/// A WebSocket is opened by HTTP, whatever the proxy calls it.
fn scheme(field: &HeaderValue) -> Option<Scheme> {
    match field.as_bytes() {
        b"http" | b"ws" => Some(Scheme::Http),
        b"https" | b"wss" => Some(Scheme::Https),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(trusted: &str, fields: &[(&'static str, &str)]) -> (String, &'static str) {
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let proxy = Peer::new(([127, 0, 0, 1], 9).into(), ([127, 0, 0, 1], 80).into(), Scheme::Http);
        let peer = trusted.parse::<TrustedProxies>().unwrap().peer(proxy, &fields.collect());
        (peer.remote.to_string(), peer.scheme.as_str())
    }

    #[test]
    fn the_last_that_is_no_proxy_is_the_client() {
        let client = |trusted, list: &[&str]| {
            said(trusted, &list.iter().map(|value| ("x-forwarded-for", *value)).collect::<Vec<_>>()).0
        };
        for (trusted, list, expected) in [
            ("127.0.0.1", &["203.0.113.7"][..], "203.0.113.7:0"),
            ("127.0.0.1", &["6.6.6.6, 203.0.113.7"], "203.0.113.7:0"),
            ("127.0.0.1", &["6.6.6.6", "203.0.113.7"], "203.0.113.7:0"),
            ("127.0.0.1, 10.0.0.0/8", &["6.6.6.6,203.0.113.7 , 10.1.2.3"], "203.0.113.7:0"),
            ("127.0.0.1,10.0.0.0/8", &["10.9.9.9", "10.1.2.3"], "10.9.9.9:0"),
            ("127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7:4711"),
            ("127.0.0.1", &["2001:db8::1"], "[2001:db8::1]:0"),
            ("127.0.0.1", &["[2001:db8::1]"], "[2001:db8::1]:0"),
            ("127.0.0.1", &["[2001:db8::1]:5"], "[2001:db8::1]:5"),
            ("*", &["6.6.6.6, 203.0.113.7"], "6.6.6.6:0"),
        ] {
            assert_eq!(client(trusted, list), expected, "{trusted}: {list:?}");
        }
        for list in [&[][..], &[""], &[" , "], &["unknown"], &["6.6.6.6, _hidden"], &["6.6.6.6", "\u{e9}"]] {
            assert_eq!(client("127.0.0.1", list), "127.0.0.1:9", "{list:?}");
        }
        assert_eq!(client("*", &["unknown, 6.6.6.6"]), "127.0.0.1:9");
    }

    #[test]
    fn the_scheme_is_one_of_four_words() {
        let scheme = |value| said("*", &[("x-forwarded-proto", value)]).1;
        assert_eq!(["https", "wss", "http", "ws"].map(scheme), ["https", "https", "http", "http"]);
        assert_eq!(["", "HTTPS", "ftp", "https,http"].map(scheme), ["http"; 4]);
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let trusts = |text: &str, ip: &str| {
            text.parse::<TrustedProxies>().map(|proxies| proxies.contain(ip.parse().unwrap()))
        };
        for (text, ip, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.7 , ::1", "::1", true),
            ("10.0.0.7", "::ffff:10.0.0.7", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("", "127.0.0.1", false),
            ("10.0.0.7,*", "8.8.8.8", true),
        ] {
            assert_eq!(trusts(text, ip), Ok(expected), "{text}: {ip}");
        }
        for text in ["proxy.internal", "10.0.0.0/33", "10.0.0.7 10.0.0.8", "none"] {
            let message = trusts(text, "::1").unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{text}` is no address and no network")), "{message}");
        }
        assert!(TrustedProxies::default().contain([127, 0, 0, 1].into()));
        assert!(!TrustedProxies::default().contain([127, 0, 0, 2].into()));
    }
}
