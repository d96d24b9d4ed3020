//! Agreeing with a server on encryption, before the protocol's first message (PostgreSQL documentation, "SSL Session
//! Encryption").
//!
//! It is done here and not by the driver, so that the session's tap stands inside of TLS and sees messages; the driver is
//! then told by [`Secured`] that all is done, and what the log-in may be bound to.

use std::{
    convert::Infallible,
    future, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::{
    Endpoint,
    guard::{Guard, Ways},
    route::Blocked,
    wire::{Socket, Wire},
};
use crate::tls::{self, Encryption};

/// How a connection's encryption is to be agreed on.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) encryption: Encryption,
    pub(super) direct: bool,
    /// There unless nothing is to be encrypted.
    pub(super) client: Option<Arc<ClientConfig>>,
}

/// A wire that the protocol may begin on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) wire: Wire,
    pub(super) secured: Secured,
}

impl Agreed {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }

    fn plain(socket: Socket) -> Self {
        Self { wire: Wire::Plain(socket), secured: Secured { digest: None, ways: Ways::ALL } }
    }
}

/// Asks the server for encryption, and sets it up.
///
/// # Errors
/// For the operator.
pub(super) async fn agree(mut socket: Socket, endpoint: &Endpoint, terms: &Terms) -> Result<Agreed, Blocked> {
    let Some(client) = terms.client.as_ref().filter(|_| terms.encryption != Encryption::None) else {
        return Ok(Agreed::plain(socket));
    };
    if !terms.direct && !offers_tls(&mut socket).await? {
        return match terms.encryption {
            Encryption::Required => Err(Blocked::tls("the server does not offer TLS, which sslmode demands")),
            Encryption::None | Encryption::IfOffered => Ok(Agreed::plain(socket)),
        };
    }
    let name = server_name(endpoint)?;
    let connector = TlsConnector::from(Arc::clone(client));
    let stream = connector.connect(name, socket).await.map_err(|error| Blocked::Tls(tls::explain(&error)))?;
    let (_, connection) = stream.get_ref();
    if terms.direct && connection.alpn_protocol() != Some(tls::ALPN) {
        return Err(Blocked::tls(
            "the server did not agree on the protocol `postgresql`, as sslnegotiation=direct demands",
        ));
    }
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    let secured = Secured { digest: certificate.and_then(tls::server_end_point), ways: Ways::ALL };
    Ok(Agreed { wire: Wire::Tls(Box::new(stream)), secured })
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Reads one byte and no more: what comes after an `S` unasked must meet the handshake, not the protocol.
async fn offers_tls(socket: &mut Socket) -> Result<bool, Blocked> {
    let asked = async {
        socket.write_all(&SSL_REQUEST).await?;
        socket.read_u8().await
    };
    match asked.await {
        Ok(b'S') => Ok(true),
        Ok(b'N') => Ok(false),
        // An error message of an unverified party: not to be shown.
        Ok(b'E') => Err(Blocked::tls("the server answered the request for TLS with an error")),
        Ok(_) => Err(Blocked::stranger()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Blocked::tls("the server hung up when asked for TLS"))
        }
        Err(error) => Err(Blocked::tls(error.to_string())),
    }
}

fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>, Blocked> {
    let name = ServerName::try_from(endpoint.host());
    name.map_err(|_| Blocked::tls("the host's name is none that a certificate can hold"))
}

/// What the log-in may be bound to, and the ways of it that are answered.
///
/// As the driver's connector it takes a wire on which encryption is agreed on already; for that the driver is set to a
/// direct handshake.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    /// Of the server's certificate, when there is TLS.
    digest: Option<Vec<u8>>,
    ways: Ways,
}

impl Secured {
    /// Answers only these ways of log-in.
    pub(super) fn answering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }
}

/// A stream together with what binds to it.
#[derive(Debug)]
pub(super) struct Bound<S> {
    stream: S,
    digest: Option<Vec<u8>>,
    guard: Option<Guard>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Secured {
    type Stream = Bound<S>;
    type Error = Infallible;
    type Future = future::Ready<Result<Bound<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        let guard = (self.ways != Ways::ALL).then(|| Guard::new(self.ways));
        future::ready(Ok(Bound { stream, digest: self.digest, guard }))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Bound<S> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.digest {
            Some(digest) => ChannelBinding::tls_server_end_point(digest.clone()),
            None => ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bound<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, guard, .. } = self.get_mut();
        let Some(follower) = guard else {
            return Pin::new(stream).poll_read(cx, buf);
        };
        let before = buf.filled().len();
        std::task::ready!(Pin::new(stream).poll_read(cx, buf))?;
        if follower.follow(buf.filled().get(before..).unwrap_or_default())? {
            *guard = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bound<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
