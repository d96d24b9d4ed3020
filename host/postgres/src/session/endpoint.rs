//! Where a server listens, and opening a socket there.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::wire::Socket;
use crate::config::SOCKET_FOLDER;

/// A server as it was configured. `Display` and `Debug` are for the operator, not for a guest.
#[derive(Clone)]
pub(crate) struct Endpoint {
    place: Place,
    port: u16,
    tcp: TcpOptions,
}

/// What a host's entry names.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The folder of a unix socket.
    Unix(PathBuf),
    /// A host: by its address, if one is given, and its name otherwise.
    Tcp { name: Option<String>, ip: Option<IpAddr> },
}

/// How TCP notices that the other side is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct TcpOptions {
    pub(crate) keepalive: Option<TcpKeepalive>,
    pub(crate) user_timeout: Option<Duration>,
}

/// One address of an endpoint.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Endpoint {
    pub(crate) fn new(place: Place, port: u16, tcp: TcpOptions) -> Self {
        Self { place, port, tcp }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self.place, Place::Unix(_))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The host's name if it has one, for its certificate.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Tcp { name, .. } => name.as_deref(),
            Place::Unix(_) => None,
        }
    }

    /// The host as a password file names it.
    pub(crate) fn host(&self) -> String {
        match &self.place {
            Place::Unix(folder) if folder.as_os_str() == SOCKET_FOLDER => "localhost".into(),
            Place::Unix(folder) => folder.display().to_string(),
            Place::Tcp { name: Some(name), .. } => name.clone(),
            Place::Tcp { ip: Some(ip), .. } => ip.to_string(),
            Place::Tcp { .. } => "localhost".into(),
        }
    }

    /// All its addresses. The caller sets the deadline.
    pub(crate) async fn addresses(&self) -> io::Result<Vec<Address>> {
        match &self.place {
            Place::Unix(folder) => Ok(vec![Address::Unix(self.socket(folder))]),
            Place::Tcp { ip: Some(ip), .. } => Ok(vec![Address::Tcp(SocketAddr::new(*ip, self.port))]),
            Place::Tcp { name, .. } => {
                let name = name.as_deref().unwrap_or("localhost");
                Ok(lookup_host((name, self.port)).await?.map(Address::Tcp).collect())
            }
        }
    }

    fn socket(&self, folder: &std::path::Path) -> PathBuf {
        folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Opens a socket at one of its addresses. The caller sets the deadline.
    pub(crate) async fn open(&self, address: &Address) -> io::Result<Socket> {
        let stream = match address {
            Address::Unix(path) => return UnixStream::connect(path).await.map(Socket::Unix),
            Address::Tcp(address) => TcpStream::connect(address).await?,
        };
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        if let Some(keepalive) = &self.tcp.keepalive {
            socket.set_tcp_keepalive(keepalive)?;
        }
        #[cfg(target_os = "linux")]
        if self.tcp.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.tcp.user_timeout)?;
        }
        Ok(Socket::Tcp(stream))
    }
}

/// Mixes a list up, for a load shared between servers.
pub(super) fn shuffle<T>(list: &mut Vec<T>) {
    let random = RandomState::new();
    let mut numbered: Vec<(u64, T)> =
        list.drain(..).enumerate().map(|(i, item)| (random.hash_one(i), item)).collect();
    numbered.sort_by_key(|(key, _)| *key);
    list.extend(numbered.into_iter().map(|(_, item)| item));
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(folder) => write!(f, "{}", self.socket(folder).display()),
            Place::Tcp { name: Some(name), ip: None } => write!(f, "{name}:{}", self.port),
            Place::Tcp { name: Some(name), ip: Some(ip) } => {
                write!(f, "{name}:{} ({})", self.port, SocketAddr::new(*ip, self.port))
            }
            Place::Tcp { name: None, ip: Some(ip) } => write!(f, "{}", SocketAddr::new(*ip, self.port)),
            Place::Tcp { name: None, ip: None } => write!(f, "localhost:{}", self.port),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mixed_list_has_all_its_items_in_many_orders() {
        let orders: std::collections::HashSet<Vec<u8>> = (0..200)
            .map(|_| {
                let mut list = vec![1, 2, 3, 4];
                super::shuffle(&mut list);
                list
            })
            .collect();
        assert!(orders.len() > 10, "{orders:?}");
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, [1, 2, 3, 4]);
        }
    }
}
