//! TLS towards programs.

use std::path::Path;
use std::sync::Arc;

use compartment_core::{Error, ErrorKind, FrontTls, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

fn failed(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "open the front", format!("{}: {what}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> =
        read.map_err(|error| failed(path, &format!("no certificate can be read ({error})")))?;
    if found.is_empty() {
        return Err(failed(path, "it has no certificate"));
    }
    Ok(found)
}

/// Accepts programs with the certificate of the settings; if they name an authority, only programs that it has signed.
///
/// # Errors
/// If a file cannot be read, or does not fit the others.
pub(crate) fn acceptor(settings: &FrontTls) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|error| failed(&settings.key, &format!("no key can be read ({error})")))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&settings.certificate, &error.to_string()))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| failed(path, &error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| failed(path, &error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(own, key).map_err(|error| {
        failed(&settings.key, &format!("the key does not fit the certificate ({error})"))
    })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
