//! TLS failures in words that the operator can act on.

use rustls::{AlertDescription, CertificateError, Error};

/// What went wrong, and what may help.
pub(crate) fn explain(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(tls) => explained(tls),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server hung up during the TLS handshake".into()
        }
        None => error.to_string(),
    }
}

fn explained(error: &Error) -> String {
    match advice(error) {
        Some(advice) => format!("{error} ({advice})"),
        None => error.to_string(),
    }
}

fn advice(error: &Error) -> Option<&'static str> {
    use CertificateError as Bad;
    match error {
        Error::InvalidCertificate(Bad::UnknownIssuer) => {
            Some("no certificate in `sslrootcert` vouches for the server's")
        }
        Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            Some("the `host` must be a name in the certificate, or sslmode be verify-ca")
        }
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            Some("the server needs a new certificate")
        }
        Error::InvalidCertificate(Bad::Other(_)) => Some(
            "if the certificate is of version 1, make it anew with a `subjectAltName`; if it is a CA's own, \
             put it into `sslrootcert` or have it sign another",
        ),
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            Some("the server does not know who signed the certificate in `sslcert`")
        }
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            Some("the server may ask for a client certificate: `sslcert` and `sslkey`")
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            Some("what answers does not speak the protocol `postgresql`")
        }
        _ => None,
    }
}
