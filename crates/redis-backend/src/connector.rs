//! Opens connections: from a URL to one server, to Sentinel's master, or to a cluster.

use std::time::Duration;

use compartment_core::{Error, ErrorKind, Result, Scheme};
use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, RedisResult, TlsCertificates, Value,
};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use crate::RedisConfig;
use crate::cluster::{ClusterConnector, ClusterWire};
use crate::error::{Phase, convert};

/// An open connection that many tasks share.
#[derive(Clone)]
pub(crate) enum Wire {
    Single(MultiplexedConnection),
    Cluster(ClusterWire),
}

impl Wire {
    /// Sends a command, once.
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.send_packed_command(command).await,
            Self::Cluster(cluster) => cluster.send(command).await,
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
            Self::Cluster(cluster) => cluster.send_many(commands).await,
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
    Cluster(Box<ClusterConnector>),
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("client_name", &self.client_name).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(config: &RedisConfig, index: u32, client_name: String) -> Result<Self> {
        let options = options(config);
        let target = match config.url.scheme() {
            Scheme::Standalone | Scheme::Unix => Target::Server(Box::new(server(config, index)?)),
            Scheme::Sentinel => Target::Sentinel(Box::new(Mutex::new(sentinel(config, index)?))),
            Scheme::Cluster => Target::Cluster(Box::new(ClusterConnector::new(config, index)?)),
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

    /// How long opening a connection may take. The search for a master or for the nodes of a cluster
    /// comes before the connection itself.
    pub(crate) fn limit(&self) -> Duration {
        match self.target {
            Target::Server(_) => self.connect_timeout,
            Target::Sentinel(_) | Target::Cluster(_) => self.connect_timeout * 2,
        }
    }

    /// Opens a connection, within [`Connector::limit`].
    pub(crate) async fn open(&self) -> Result<Wire> {
        let limit = self.limit();
        let opened = async {
            let mut wire = self.open_unbounded().await?;
            if let Wire::Single(connection) = &mut wire {
                // A name for CLIENT LIST is a courtesy: not every server or user may set one.
                let mut name = redis::cmd("CLIENT");
                name.arg("SETNAME").arg(&self.client_name);
                let _ = connection.send_packed_command(&name).await;
            }
            Ok(wire)
        };
        let opened = tokio::time::timeout(limit, opened).await.map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "connect",
                format!("no connection within {limit:?}; the server is busy, paused or gone"),
            )
        })?;
        opened.map_err(|error| convert("connect", Phase::Connect, &error))
    }

    /// Opens a connection whose pushed messages go to `sender`: of one server, never of a cluster.
    pub(crate) async fn open_listening(
        &self,
        sender: UnboundedSender<PushInfo>,
    ) -> Result<MultiplexedConnection> {
        let options = self.options.clone().set_push_sender(sender);
        let client = match &self.target {
            Target::Server(client) => client.as_ref().clone(),
            Target::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await;
                master.map_err(|error| convert("connect", Phase::Connect, &error))?
            }
            Target::Cluster(_) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "connect",
                    "a cluster is not one server; name one of its nodes",
                ));
            }
        };
        listen(&client, &options, &self.client_name).await
    }

    /// Where the server is that [`Connector::open`] connects to, and how to log in.
    pub(crate) async fn locate(&self) -> Result<ConnectionInfo> {
        match &self.target {
            Target::Server(client) => Ok(client.get_connection_info().clone()),
            Target::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await;
                let master = master.map_err(|error| convert("connect", Phase::Connect, &error))?;
                Ok(master.get_connection_info().clone())
            }
            Target::Cluster(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "connect",
                "a cluster is not one server; name one of its nodes",
            )),
        }
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
            Target::Cluster(cluster) => cluster.open().await.map(Wire::Cluster),
        }
    }
}

/// Opens connections to single nodes of a cluster.
pub(crate) struct NodeConnector {
    config: RedisConfig,
    index: u32,
    options: AsyncConnectionConfig,
    client_name: String,
}

impl std::fmt::Debug for NodeConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeConnector")
            .field("client_name", &self.client_name)
            .finish_non_exhaustive()
    }
}

impl NodeConnector {
    pub(crate) fn new(config: &RedisConfig, index: u32, client_name: String) -> Self {
        let options = options(config);
        Self { config: config.clone(), index, options, client_name }
    }

    /// Opens a connection to the first node that answers; what is pushed goes to `sender`.
    pub(crate) async fn open_listening(
        &self,
        sender: UnboundedSender<PushInfo>,
    ) -> Result<MultiplexedConnection> {
        let options = self.options.clone().set_push_sender(sender);
        let mut last = None;
        for address in self.hosts() {
            let client = server_at(&self.config, &address, self.index)?;
            match listen(&client, &options, &self.client_name).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| wrong(&self.config, "there is no host in it")))
    }

    /// The addresses in the URL.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
            _ => format!("{host}:6379"),
        };
        self.config.url.hosts().into_iter().map(with_port).collect()
    }

    /// Connects to the node at `host:port`.
    pub(crate) async fn open(&self, address: &str) -> RedisResult<MultiplexedConnection> {
        let client = server_at(&self.config, address, self.index).map_err(|error| {
            let what = error.message().to_owned();
            redis::RedisError::from((redis::ErrorKind::InvalidClientConfig, "node", what))
        })?;
        let mut node = client.get_multiplexed_async_connection_with_config(&self.options).await?;
        let mut name = redis::cmd("CLIENT");
        name.arg("SETNAME").arg(&self.client_name);
        let _ = node.send_packed_command(&name).await;
        Ok(node)
    }
}

async fn listen(
    client: &Client,
    options: &AsyncConnectionConfig,
    name: &str,
) -> Result<MultiplexedConnection> {
    let mut connection = client
        .get_multiplexed_async_connection_with_config(options)
        .await
        .map_err(|error| convert("connect", Phase::Connect, &error))?;
    let mut set_name = redis::cmd("CLIENT");
    set_name.arg("SETNAME").arg(name);
    let _ = connection.send_packed_command(&set_name).await;
    Ok(connection)
}

fn options(config: &RedisConfig) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(config.connect_timeout))
        .set_response_timeout(Some(config.response_timeout))
}

fn wrong(config: &RedisConfig, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "connect", format!("{}: {what}", config.url))
}

/// The login and address of one host of the URL, as redis-rs wants it.
pub(crate) fn connection_info(
    config: &RedisConfig,
    host: &str,
    index: u32,
) -> Result<ConnectionInfo> {
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
    server_at(config, hosts.first().copied().unwrap_or_default(), index)
}

fn server_at(config: &RedisConfig, host: &str, index: u32) -> Result<Client> {
    let info = connection_info(config, host, index)?;
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
