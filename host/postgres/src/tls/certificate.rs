//! What is to be known of a certificate besides what webpki tells.

use rustls::{
    CertificateError, Error,
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::{
    Certificate, Version,
    der::{Decode, Encode, asn1::ObjectIdentifier},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// A certificate taken apart.
pub(super) struct Details(Certificate);

impl Details {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = Certificate::from_der(certificate);
        parsed.map(Self).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    pub(super) fn is_version_1(&self) -> bool {
        self.0.tbs_certificate().version() == Version::V1
    }

    pub(super) fn public_key(&self) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
        let key = self.0.tbs_certificate().subject_public_key_info().to_der();
        key.map(Into::into).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    pub(super) fn check_validity(&self, now: UnixTime) -> Result<(), Error> {
        let validity = self.0.tbs_certificate().validity();
        let seconds = now.as_secs();
        if seconds < validity.not_before.to_unix_duration().as_secs() {
            return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
        }
        if seconds > validity.not_after.to_unix_duration().as_secs() {
            return Err(Error::InvalidCertificate(CertificateError::Expired));
        }
        Ok(())
    }

    /// Whether the subject's common name is `name`, in a certificate without an alternative name of that kind.
    pub(super) fn common_name_is(&self, name: &ServerName<'_>) -> bool {
        let wanted = match name {
            ServerName::DnsName(name) => name.as_ref().to_owned(),
            ServerName::IpAddress(ip) => std::net::IpAddr::from(*ip).to_string(),
            _ => return false,
        };
        let is_ip = matches!(name, ServerName::IpAddress(_));
        let others = self.0.tbs_certificate().get_extension::<SubjectAltName>();
        let decides = |other: &GeneralName| match other {
            GeneralName::IpAddress(_) => is_ip,
            GeneralName::DnsName(_) => !is_ip,
            _ => false,
        };
        match others {
            Err(_) => false,
            Ok(Some((_, others))) if others.0.iter().any(decides) => false,
            Ok(_) => self.common_name().is_some_and(|name| fits(&name, &wanted, is_ip)),
        }
    }

    fn common_name(&self) -> Option<String> {
        const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
        let subject = self.0.tbs_certificate().subject();
        let found = subject.iter().find(|part| part.oid == COMMON_NAME)?;
        // Every kind of string that a name may be made of and that is not of wide characters.
        String::from_utf8(found.value.value().to_vec()).ok()
    }
}

/// libpq's comparison: without regard to case; a `*` stands for the first label.
fn fits(pattern: &str, name: &str, is_ip: bool) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let Some(domain) = pattern.strip_prefix('*').filter(|rest| rest.len() > 1 && rest.starts_with('.'))
    else {
        return false;
    };
    let label = name.len().checked_sub(domain.len()).and_then(|at| name.split_at_checked(at));
    label.is_some_and(|(label, rest)| {
        !is_ip && !label.is_empty() && !label.contains('.') && rest.eq_ignore_ascii_case(domain)
    })
}

/// What binds a log-in to the server's certificate: `tls-server-end-point` of RFC 5929, section 4. None for a signature
/// without a hash of its own.
pub(crate) fn server_end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let details = Details::of(certificate).ok()?;
    let hash = match details.0.signature_algorithm().oid.to_string().as_str() {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA: SHA-256 stands in. Then SHA-256 itself.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => {
            Sha256::digest(certificate).to_vec()
        }
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Sha256::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_one_label() {
        for (pattern, name, expected) in [
            ("db.example", "DB.Example", true),
            ("*.example", "db.example", true),
            ("*.example", "a.db.example", false),
            ("*.example", ".example", false),
            ("*.example", "example", false),
            ("*", "db", false),
            ("d*.example", "db.example", false),
        ] {
            assert_eq!(fits(pattern, name, false), expected, "{pattern} {name}");
        }
        assert!(fits("127.0.0.1", "127.0.0.1", true) && !fits("*.0.0.1", "127.0.0.1", true));
    }
}
