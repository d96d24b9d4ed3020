//! From files to what TLS is spoken with.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use super::{ALPN, Plan, Roots, verify::Verifier};
use crate::{ConfigError, config::files};

/// Reads all that `plan` names.
pub(super) fn load(plan: &Plan) -> Result<Arc<ClientConfig>, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(plan, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(plan.versions)
        .map_err(|error| ConfigError::tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut client = match &plan.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let failed = |error: rustls::Error| {
                ConfigError::file("sslkey", key, format!("it is not the key of the certificate: {error}"))
            };
            builder
                .with_client_auth_cert(certificates("sslcert", certificate)?, private_key(key)?)
                .map_err(failed)?
        }
    };
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.enable_sni = plan.sni;
    // A server of Postgres's resumes nothing.
    client.resumption = Resumption::disabled();
    Ok(Arc::new(client))
}

fn verifier(plan: &Plan, provider: &Arc<CryptoProvider>) -> Result<Verifier, ConfigError> {
    let algorithms = provider.signature_verification_algorithms;
    let trusted = match &plan.roots {
        Roots::None => return Ok(Verifier::of_nothing(algorithms)),
        Roots::File(path) => certificates("sslrootcert", path)?,
        Roots::System { file, folder } => system(file.as_deref(), folder.as_deref())?,
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(trusted.iter().cloned());
    if usable == 0 {
        return Err(ConfigError::tls("no root certificate is usable"));
    }
    let mut chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if let Some(path) = &plan.revoked {
        chain = chain.with_crls(revoked(path)?);
    }
    let chain = chain.build().map_err(|error| ConfigError::tls(error.to_string()))?;
    // A list could revoke what is trusted by itself.
    let alone = if plan.revoked.is_some() { Vec::new() } else { trusted };
    Ok(Verifier::of_chain(chain, alone, plan.names, algorithms))
}

fn system(file: Option<&Path>, folder: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = match (file, folder) {
        (None, None) => rustls_native_certs::load_native_certs(),
        _ => rustls_native_certs::load_certs_from_paths(file, folder),
    };
    match found.certs.is_empty() {
        false => Ok(found.certs),
        true => {
            let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            let errors = if errors.is_empty() { "none were found".into() } else { errors.join("; ") };
            Err(ConfigError::tls(format!("the system's root certificates cannot be had: {errors}")))
        }
    }
}

fn certificates(use_: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    all_of(use_, path, "certificate")
}

fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, ConfigError> {
    all_of("sslcrl", path, "revocation list")
}

fn all_of<T: PemObject>(use_: &'static str, path: &Path, what: &str) -> Result<Vec<T>, ConfigError> {
    let bytes = files::read(use_, path)?;
    let all: Result<Vec<T>, _> = T::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| ConfigError::file(use_, path, reason(&error)))?;
    match all.is_empty() {
        true => Err(ConfigError::file(use_, path, format!("it holds no {what} in PEM form"))),
        false => Ok(all),
    }
}

/// What is said of a file never repeats what is in it.
fn reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "it holds nothing of the kind in PEM form",
        pem::Error::Base64Decode(_) => "its base64 is broken",
        _ => "it is not in PEM form",
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    const USE: &str = "sslkey";
    let bytes = files::read(USE, path)?;
    if !files::is_private_key_safe(path) {
        let reason =
            "its group or others have access; its mode must be 0600 or less, or 0640 or less if it is root's";
        return Err(ConfigError::file(USE, path, reason));
    }
    let is_encrypted = bytes.windows(9).any(|word| word == b"ENCRYPTED");
    if is_encrypted {
        return Err(ConfigError::file(USE, path, "it is encrypted; `openssl pkey -in … -out …` decrypts it"));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| ConfigError::file(USE, path, reason(&error)))
}
