//! Opens connections: from a URL to one server, to Sentinel's master, or to a cluster.

use std::time::Duration;

use compartment_core::{Error, ErrorKind, Result, Scheme};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, Pipeline, ProtocolVersion, RedisResult, TlsCertificates, Value,
};
use tokio::sync::Mutex;

use crate::RedisConfig;
use crate::error::{Phase, convert};

/// An open connection that many tasks share.
#[derive(Clone)]
pub(crate) enum Wire {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.send_packed_command(command).await,
            Self::Cluster(connection) => {
                ConnectionLike::req_packed_command(connection, command).await
            }
        }
    }

    /// Sends many commands in one round trip, in order; an answer for each, which may be an error
    /// of its own.
    pub(crate) async fn send_many(&mut self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        match self {
            Self::Single(connection) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                pipeline.ignore_errors();
                for command in commands {
                    pipeline.add_command(command.clone());
                }
                connection.send_packed_commands(&pipeline, 0, commands.len()).await
            }
            // A pipeline goes to one node; the keys of these commands are on many. The commands of
            // one node keep their order on its connection.
            Self::Cluster(connection) => {
                let sent = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move {
                        let answer = ConnectionLike::req_packed_command(&mut connection, command);
                        match answer.await {
                            Err(error) => match error.clone().into_server_errors() {
                                Some(errors) if errors.len() == 1 => {
                                    Ok(Value::ServerError(errors[0].1.clone()))
                                }
                                _ => Err(error),
                            },
                            answer => answer,
                        }
                    }
                });
                futures_util::future::join_all(sent).await.into_iter().collect()
            }
        }
    }
}

/// Opens connections to one numbered database.
pub(crate) struct Connector {
    target: Target,
    options: AsyncConnectionConfig,
    connect_timeout: Duration,
    /// Shown by the server's CLIENT LIST.
    client_name: String,
}

enum Target {
    Server(Box<Client>),
    // Sentinel's client learns of new sentinels while it asks, and so needs to be owned.
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("client_name", &self.client_name).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(config: &RedisConfig, index: u32, client_name: String) -> Result<Self> {
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout));
        let target = match config.url.scheme() {
            Scheme::Standalone | Scheme::Unix => Target::Server(Box::new(server(config, index)?)),
            Scheme::Sentinel => Target::Sentinel(Box::new(Mutex::new(sentinel(config, index)?))),
            Scheme::Cluster => Target::Cluster(Box::new(cluster(config, index)?)),
            other => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "connect",
                    format!("{} is no Redis ({other:?})", config.url),
                ));
            }
        };
        Ok(Self { target, options, connect_timeout: config.connect_timeout, client_name })
    }

    pub(crate) async fn open(&self) -> Result<Wire> {
        // redis-rs's time-out covers the handshake of one server; the search for the master or
        // the cluster's nodes may take several.
        let limit = match self.target {
            Target::Server(_) => self.connect_timeout * 2,
            Target::Sentinel(_) | Target::Cluster(_) => self.connect_timeout * 4,
        };
        let opened = tokio::time::timeout(limit, self.open_unbounded()).await.map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "connect",
                format!("no connection within {limit:?}; the server is busy, paused or gone"),
            )
        })?;
        let mut wire = opened.map_err(|error| convert("connect", Phase::Connect, &error))?;
        if let Wire::Single(connection) = &mut wire {
            // A name for CLIENT LIST is a courtesy: not every server or user may set one.
            let mut name = redis::cmd("CLIENT");
            name.arg("SETNAME").arg(&self.client_name);
            let _ = connection.send_packed_command(&name).await;
        }
        Ok(wire)
    }

    async fn open_unbounded(&self) -> RedisResult<Wire> {
        match &self.target {
            Target::Server(client) => client
                .get_multiplexed_async_connection_with_config(&self.options)
                .await
                .map(Wire::Single),
            Target::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await?;
                master
                    .get_multiplexed_async_connection_with_config(&self.options)
                    .await
                    .map(Wire::Single)
            }
            Target::Cluster(client) => client.get_async_connection().await.map(Wire::Cluster),
        }
    }
}

fn wrong(config: &RedisConfig, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "connect", format!("{}: {what}", config.url))
}

/// The login and address of one host of the URL, as redis-rs wants it.
fn connection_info(config: &RedisConfig, host: &str, index: u32) -> Result<ConnectionInfo> {
    let url = &config.url;
    let login = url.user_info().map_or(String::new(), |(user, pass)| format!("{user}:{pass}@"));
    let scheme = if url.is_tls() { "rediss" } else { "redis" };
    let text = match url.scheme() {
        Scheme::Unix => format!("redis+unix:///{}", url.path()),
        _ => format!("{scheme}://{login}{host}"),
    };
    // The error of the parser may quote the URL and with it the password.
    let info = text
        .as_str()
        .into_connection_info()
        .map_err(|_| wrong(config, "the host, port or login cannot be read"))?;
    let settings = info
        .redis_settings()
        .clone()
        .set_db(i64::from(index))
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("compartment", env!("CARGO_PKG_VERSION"));
    Ok(info.set_redis_settings(settings))
}

fn server(config: &RedisConfig, index: u32) -> Result<Client> {
    let hosts = config.url.hosts();
    if hosts.len() > 1 {
        return Err(wrong(
            config,
            "several hosts; use redis+cluster:// or redis+sentinel:// for more than one",
        ));
    }
    let info = connection_info(config, hosts.first().copied().unwrap_or_default(), index)?;
    let client = match certificates(config)? {
        Some(certificates) if config.url.is_tls() => Client::build_with_tls(info, certificates),
        _ => Client::open(info),
    };
    client.map_err(|error| convert("connect", Phase::Connect, &error))
}

fn sentinel(config: &RedisConfig, index: u32) -> Result<SentinelClient> {
    let service = config.url.path();
    if service.is_empty() {
        return Err(wrong(config, "name the service: redis+sentinel://host:26379/mymaster"));
    }
    let mut sentinels = Vec::new();
    let mut login = None;
    for host in config.url.hosts() {
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:26379") };
        let info = connection_info(config, &host, index)?;
        sentinels.push(info.addr().clone());
        login.get_or_insert_with(|| info.redis_settings().clone());
    }
    let fail = |error| convert("connect", Phase::Connect, &error);
    let mut builder =
        SentinelClientBuilder::new(sentinels.clone(), service, SentinelServerType::Master)
            .map_err(fail)?
            .set_client_to_redis_db(i64::from(index))
            .set_client_to_redis_protocol(ProtocolVersion::RESP3);
    if let Some(login) = login {
        if let Some(user) = login.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = login.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    if sentinels.iter().any(|address| matches!(address, ConnectionAddr::TcpTls { .. })) {
        builder = builder.set_client_to_redis_tls_mode(redis::TlsMode::Secure);
        if let Some(files) = certificates(config)? {
            builder = builder
                .set_client_to_redis_certificates(files.clone())
                .set_client_to_sentinel_certificates(files);
        }
    }
    builder.build().map_err(fail)
}

fn cluster(config: &RedisConfig, index: u32) -> Result<ClusterClient> {
    let nodes = config
        .url
        .hosts()
        .into_iter()
        .map(|host| connection_info(config, host, 0))
        .collect::<Result<Vec<_>>>()?;
    let mut builder = ClusterClientBuilder::new(nodes)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(config.connect_timeout)
        .response_timeout(config.response_timeout)
        // Redirections count as retries here; redis-rs follows them itself.
        .retries(config.retries.max(3));
    if index > 0 {
        builder = builder.database_id(i64::from(index));
    }
    if let Some(files) = certificates(config)? {
        builder = builder.certs(files);
    }
    builder.build().map_err(|error| convert("connect", Phase::Connect, &error))
}

fn certificates(config: &RedisConfig) -> Result<Option<TlsCertificates>> {
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
