//! Whether a server's certificate is good.
//!
//! The rules are webpki's, with what libpq allows besides: the host's name in the subject of a certificate that has no
//! alternative names (PostgreSQL documentation, `sslmode`, "verify-full"), and a self-signed certificate that is itself
//! in the root certificate file. Whatever the mode, the server must prove that the certificate's key is its own: without
//! that, channel binding would bind to nothing.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::certificate::Details;

#[derive(Debug)]
pub(super) struct Verifier {
    trust: Option<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Trust {
    chain: Arc<WebPkiServerVerifier>,
    /// Certificates that are good by themselves.
    alone: Vec<CertificateDer<'static>>,
    names: bool,
}

impl Verifier {
    /// Takes any certificate.
    pub(super) fn of_nothing(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust: None, algorithms }
    }

    /// Takes what `chain` takes, and with `names` only for the host's name.
    pub(super) fn of_chain(
        chain: Arc<WebPkiServerVerifier>,
        alone: Vec<CertificateDer<'static>>,
        names: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { trust: Some(Trust { chain, alone, names }), algorithms }
    }
}

impl Trust {
    fn check(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.alone.contains(server) {
            Details::of(server)?.check_validity(now)?;
            return if self.names { check_name(server, name) } else { Ok(()) };
        }
        // The name is looked at last: an error about it says that the rest is good.
        match self.chain.verify_server_cert(server, intermediates, name, stapled, now) {
            Err(error) if is_about_name(&error) && !self.names => Ok(()),
            Err(error) if is_about_name(&error) => by_common_name(server, name, error),
            other => other.map(|_| ()),
        }
    }
}

fn check_name(server: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    if Details::of(server)?.is_version_1() {
        // It can have no alternative names.
        let bad = Error::InvalidCertificate(CertificateError::NotValidForName);
        return by_common_name(server, name, bad);
    }
    let parsed = ParsedCertificate::try_from(server)?;
    rustls::client::verify_server_name(&parsed, name).or_else(|error| by_common_name(server, name, error))
}

fn by_common_name(server: &CertificateDer<'_>, name: &ServerName<'_>, error: Error) -> Result<(), Error> {
    match Details::of(server)?.common_name_is(name) {
        true => Ok(()),
        false => Err(error),
    }
}

fn is_about_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            trust.check(server, intermediates, name, stapled, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, server, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // What `openssl x509 -req` makes by default; webpki reads none of it, but its key will do.
        match Details::of(server) {
            Ok(details) if details.is_version_1() => {
                let key = details.public_key()?;
                verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
            }
            _ => verify_tls13_signature(message, server, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
