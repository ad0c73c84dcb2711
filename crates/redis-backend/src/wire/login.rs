//! An instance's address, login and certificates in the form that redis-rs needs.

use compartment_core::{Error, ErrorKind, Result, Scheme};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, TlsCertificates,
};

use crate::RedisConfig;
use crate::error::{Phase, convert};
use crate::secrets;

/// The error for a configuration that cannot be used.
pub(crate) fn wrong(config: &RedisConfig, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "connect", format!("{}: {what}", config.url))
}

/// The address and the login in the form that redis-rs needs: of `host:port`, or of the URL's socket.
pub(crate) fn connection_info(
    config: &RedisConfig,
    address: Option<(&str, u16)>,
    index: u32,
) -> Result<ConnectionInfo> {
    let url = &config.url;
    let address = match address {
        None if url.scheme() == Scheme::Unix => ConnectionAddr::Unix(url.socket().into()),
        None => return Err(wrong(config, "there is no host in it")),
        Some((host, port)) if url.is_tls() => ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure: false,
            tls_params: None,
        },
        Some((host, port)) => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    let info = address
        .into_connection_info()
        .map_err(|error| convert("connect", Phase::Connect, &error))?;
    let mut settings = RedisConnectionInfo::default()
        .set_db(i64::from(index))
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("compartment", env!("CARGO_PKG_VERSION"));
    if let Some(user) = url.user() {
        settings = settings.set_username(user);
    }
    if let Some(password) = url.password() {
        secrets::note(password);
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}

/// A client for the server at `host:port`, or at the URL's socket.
pub(crate) fn client_at(
    config: &RedisConfig,
    address: Option<(&str, u16)>,
    index: u32,
) -> Result<Client> {
    let info = connection_info(config, address, index)?;
    let client = match certificates(config)? {
        Some(certificates) if config.url.is_tls() => Client::build_with_tls(info, certificates),
        _ => Client::open(info),
    };
    client.map_err(|error| convert("connect", Phase::Connect, &error))
}

pub(crate) fn certificates(config: &RedisConfig) -> Result<Option<TlsCertificates>> {
    let tls = &config.tls;
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| {
            wrong(config, &format!("the TLS file {} cannot be read: {error}", path.display()))
        })
    };
    let client_tls = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        (None, None) => None,
        _ => return Err(wrong(config, "tls_certificate and tls_key belong together")),
    };
    let root_cert = tls.ca.as_ref().map(read).transpose()?;
    Ok((client_tls.is_some() || root_cert.is_some())
        .then_some(TlsCertificates { client_tls, root_cert }))
}
