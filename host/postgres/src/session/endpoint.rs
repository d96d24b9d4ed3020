//! Where a server listens, and opening a socket there.

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::config::Host;

use crate::config::DEFAULT_PORT;

/// One address of a server. `Display` and `Debug` are for the operator, not for a guest.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: Address,
    keepalive: Option<TcpKeepalive>,
}

#[derive(Clone)]
enum Address {
    Unix(PathBuf),
    Name(String, u16),
    Ip(IpAddr, u16),
}

/// Debian's folder for the server's socket; libpq's default there.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

impl Endpoint {
    /// The socket that a server of `port` makes in `folder`.
    pub(crate) fn unix(folder: &Path, port: u16) -> Self {
        let path = folder.join(format!(".s.PGSQL.{port}"));
        Self { address: Address::Unix(path), keepalive: None }
    }

    /// All addresses of a configuration, in their order.
    pub(crate) fn all(config: &tokio_postgres::Config) -> Result<Vec<Self>, &'static str> {
        let (hosts, ips, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        if hosts.is_empty() && ips.is_empty() {
            return Ok(vec![Self::local(ports.first().copied())]);
        }
        let count = hosts.len().max(ips.len());
        if !hosts.is_empty() && !ips.is_empty() && hosts.len() != ips.len() {
            return Err("it has not as many hosts as addresses");
        }
        if ports.len() > 1 && ports.len() != count {
            return Err("it has not as many hosts as ports");
        }
        let keepalive = config.get_keepalives().then(|| keepalive(config));
        let endpoint = |i: usize| {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
            match (ips.get(i), hosts.get(i)) {
                (Some(ip), _) => Self { address: Address::Ip(*ip, port), keepalive: keepalive.clone() },
                (None, Some(Host::Unix(folder))) => Self::unix(folder, port),
                (None, Some(Host::Tcp(name))) => {
                    Self { address: Address::Name(name.clone(), port), keepalive: keepalive.clone() }
                }
                (None, None) => Self::local(Some(port)),
            }
        };
        Ok((0..count).map(endpoint).collect())
    }

    fn local(port: Option<u16>) -> Self {
        let port = port.unwrap_or(DEFAULT_PORT);
        if Path::new(SOCKET_FOLDER).is_dir() {
            return Self::unix(Path::new(SOCKET_FOLDER), port);
        }
        Self { address: Address::Name("localhost".into(), port), keepalive: None }
    }

    /// Opens a socket. The caller sets the deadline.
    pub(crate) async fn open(&self) -> io::Result<Socket> {
        let stream = match &self.address {
            Address::Unix(path) => return UnixStream::connect(path).await.map(Socket::Unix),
            Address::Name(name, port) => TcpStream::connect((name.as_str(), *port)).await?,
            Address::Ip(ip, port) => TcpStream::connect((*ip, *port)).await?,
        };
        stream.set_nodelay(true)?;
        if let Some(keepalive) = &self.keepalive {
            SockRef::from(&stream).set_tcp_keepalive(keepalive)?;
        }
        Ok(Socket::Tcp(stream))
    }
}

fn keepalive(config: &tokio_postgres::Config) -> TcpKeepalive {
    let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        keepalive = keepalive.with_retries(retries);
    }
    keepalive
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Name(name, port) => write!(f, "{name}:{port}"),
            Address::Ip(ip, port) => write!(f, "{}", std::net::SocketAddr::new(*ip, *port)),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connected socket of either family.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_their_endpoints() {
        let endpoints = |url: &str| {
            let all = Endpoint::all(&url.parse().unwrap()).unwrap();
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(endpoints("postgres://a,b:2/d"), ["a:5432", "b:2"]);
        assert_eq!(endpoints("postgres://u@/d?host=/run/x&port=7"), ["/run/x/.s.PGSQL.7"]);
        assert_eq!(endpoints("postgres://a/d?hostaddr=::1"), ["[::1]:5432"]);
    }
}
