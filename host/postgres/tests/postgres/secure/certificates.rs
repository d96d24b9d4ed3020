//! Certificates for one run of the tests: an authority, a stranger to it, and what they sign.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

/// A certificate, its key, and their files.
pub struct Signed {
    pub certificate: PathBuf,
    pub key: PathBuf,
    serial: SerialNumber,
}

impl Signed {
    pub fn url(&self) -> String {
        format!("sslcert={}&sslkey={}", self.certificate.display(), self.key.display())
    }
}

/// One who signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    pub certificate: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = folder.join(format!("{name}.crt"));
        fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder: folder.to_owned(), certificate }
    }

    /// A server's certificate for `names`, which may be addresses, changed by `change`.
    pub fn server(&self, file: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        self.sign(file, params)
    }

    /// A client's certificate for the user `name`.
    pub fn client(&self, file: &str, name: &str) -> Signed {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, params)
    }

    fn sign(&self, file: &str, mut params: CertificateParams) -> Signed {
        let serial = SerialNumber::from(u64::from(file.bytes().map(u32::from).sum::<u32>()));
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.folder, file, &certificate.pem(), &key, serial)
    }

    /// A list with one certificate that is not good any more.
    pub fn revoke(&self, signed: &Signed) -> PathBuf {
        let revoked = RevokedCertParams {
            serial_number: signed.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2999, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.join("revoked.crl");
        fs::write(&path, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }
}

/// A certificate of the form that the PostgreSQL documentation has people make: signed by itself, an authority's own,
/// with its name in the subject alone.
pub fn self_signed(
    folder: &Path,
    file: &str,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Signed {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    write(folder, file, &pem, &key, SerialNumber::from(1u64))
}

fn write(folder: &Path, file: &str, pem: &str, key: &KeyPair, serial: SerialNumber) -> Signed {
    let (certificate, key_file) = (folder.join(format!("{file}.crt")), folder.join(format!("{file}.key")));
    fs::write(&certificate, pem).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    Signed { certificate, key: key_file, serial }
}
