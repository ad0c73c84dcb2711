//! Certificates for a single test: of an authority, a server and a client.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};

/// The PEM files of a server with TLS and of its clients.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsCertificates {
    /// The authority that signed both.
    pub ca: PathBuf,
    /// The server's certificate, for `localhost` and `127.0.0.1`.
    pub server_certificate: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    /// The client's certificate.
    pub client_certificate: PathBuf,
    /// The client's key.
    pub client_key: PathBuf,
}

impl TlsCertificates {
    /// Creates new certificates in `folder`.
    ///
    /// # Panics
    /// If the folder is not writable.
    #[must_use]
    pub fn make_in(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        let files = Self {
            ca: file("ca.pem"),
            server_certificate: file("server.pem"),
            server_key: file("server.key"),
            client_certificate: file("client.pem"),
            client_key: file("client.key"),
        };
        let mut params = named("Compartment test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.self_signed(&key).expect("an authority signs itself");
        write(&files.ca, &certificate.pem());
        let authority = Issuer::new(params, key);
        let both = [
            (ExtendedKeyUsagePurpose::ServerAuth, &files.server_certificate, &files.server_key),
            (ExtendedKeyUsagePurpose::ClientAuth, &files.client_certificate, &files.client_key),
        ];
        for (usage, certificate_file, key_file) in both {
            let mut params = named("localhost");
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().expect("keys can be made");
            let certificate = params.signed_by(&key, &authority).expect("the authority signs");
            write(certificate_file, &certificate.pem());
            write(key_file, &key.serialize_pem());
        }
        files
    }
}

fn named(name: &str) -> CertificateParams {
    let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(hosts).expect("the names are good");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the folder can be written to");
}
