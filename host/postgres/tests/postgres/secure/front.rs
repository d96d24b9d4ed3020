//! What stands before a server in some tests: it speaks TLS with any certificate, or changes what goes by. Behind it the
//! real server is reached by its socket, where it trusts everybody.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
};
use tokio_rustls::TlsAcceptor;

use super::{certificates::Signed, server::Secure};

/// What a front does with a connection.
#[derive(Clone)]
pub enum Manner {
    /// Speaks TLS when asked to.
    Tls(Arc<ServerConfig>),
    /// Speaks TLS at once.
    Direct(Arc<ServerConfig>),
    /// Answers the request for TLS with this, then passes on.
    Answers(u8),
    /// Passes on after this was called.
    After(Arc<dyn Fn() + Send + Sync>),
    /// Passes on all but what servers before version 14 do not say.
    Old,
}

pub struct Front {
    pub port: u16,
    pub connections: Arc<AtomicUsize>,
}

/// TLS with this certificate; `protocols` is what the front knows of.
pub fn tls(signed: &Signed, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&signed.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&signed.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// Puts a front before the server.
pub async fn front(secure: &Secure, manner: Manner) -> Front {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = secure.socket().join(format!(".s.PGSQL.{}", secure.port));
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, port_behind) = (Arc::clone(&connections), secure.port);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(client, socket.clone(), port_behind, manner.clone()));
        }
    });
    Front { port, connections }
}

async fn serve(mut client: TcpStream, socket: PathBuf, port: u16, manner: Manner) -> Option<()> {
    match manner {
        Manner::Tls(config) => {
            client.read_exact(&mut [0; 8]).await.ok()?;
            client.write_all(b"S").await.ok()?;
            relay(TlsAcceptor::from(config).accept(client).await.ok()?, socket).await
        }
        Manner::Direct(config) => relay(TlsAcceptor::from(config).accept(client).await.ok()?, socket).await,
        Manner::Answers(answer) => {
            let mut first = [0; 8];
            client.read_exact(&mut first).await.ok()?;
            if first[4..] == [0x04, 0xd2, 0x16, 0x2f] {
                client.write_all(&[answer]).await.ok()?;
                return if answer == b'N' { relay(client, socket).await } else { None };
            }
            let mut server = UnixStream::connect(socket).await.ok()?;
            server.write_all(&first).await.ok()?;
            copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
        }
        Manner::After(call) => {
            call();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
        }
        Manner::Old => {
            let (mut from, mut to) = client.into_split();
            let (from_server, mut to_server) = UnixStream::connect(socket).await.ok()?.into_split();
            tokio::spawn(async move { copy(&mut from, &mut to_server).await });
            forget(from_server, &mut to).await
        }
    }
}

async fn relay(mut client: impl AsyncRead + AsyncWrite + Unpin, socket: PathBuf) -> Option<()> {
    let mut server = UnixStream::connect(socket).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
}

/// Passes messages on, without the parameters of a session that newer servers report.
async fn forget(mut server: impl AsyncRead + Unpin, client: &mut (impl AsyncWrite + Unpin)) -> Option<()> {
    loop {
        let kind = server.read_u8().await.ok()?;
        let length = server.read_u32().await.ok()?;
        let mut body = vec![0; length as usize - 4];
        server.read_exact(&mut body).await.ok()?;
        let newer = [&b"in_hot_standby\0"[..], b"default_transaction_read_only\0"];
        if kind == b'S' && newer.iter().any(|name| body.starts_with(name)) {
            continue;
        }
        client.write_u8(kind).await.ok()?;
        client.write_u32(length).await.ok()?;
        client.write_all(&body).await.ok()?;
    }
}

/// One in the middle: TLS with the client by his own certificate, TLS with the server too; answers his port.
pub async fn middle(secure: &Secure, own: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&secure.authority.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let outward = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let behind = secure.port;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (own, outward) = (Arc::clone(&own), Arc::clone(&outward));
            tokio::spawn(async move {
                let mut request = [0; 8];
                client.read_exact(&mut request).await.ok()?;
                let mut server = TcpStream::connect(("127.0.0.1", behind)).await.ok()?;
                server.write_all(&request).await.ok()?;
                server.read_u8().await.ok()?;
                client.write_all(b"S").await.ok()?;
                let mut client = TlsAcceptor::from(own).accept(client).await.ok()?;
                let name = "localhost".try_into().ok()?;
                let mut server =
                    tokio_rustls::TlsConnector::from(outward).connect(name, server).await.ok()?;
                copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
            });
        }
    });
    port
}
