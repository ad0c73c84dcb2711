//! Opens connections from a URL: to one server, to Sentinel's master, or to a cluster.

use std::time::Duration;

use compartment_core::{Error, ErrorKind, Result, Scheme};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, Cmd, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisResult, Value};
use tokio::sync::Mutex;

use crate::RedisConfig;
use crate::error::{Phase, convert};
use crate::wire::bounded::BoundedConnection;
use crate::wire::cluster::{ClusterConnector, ClusterWire};
use crate::wire::handshake::{Handshake, Hearing, Listener};
use crate::wire::login::{certificates, client_at, connection_info, wrong};

/// An open connection that many tasks share.
#[derive(Clone)]
pub(crate) enum Wire {
    Single(BoundedConnection),
    Cluster(ClusterWire),
}

impl Wire {
    /// Sends a command once.
    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => connection.send(command).await,
            Self::Cluster(cluster) => cluster.send(command).await,
        }
    }

    /// Sends many commands in one round trip, in order; returns an answer for each, which may be an error.
    pub(crate) async fn send_many(&self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        match self {
            Self::Single(connection) => {
                connection.send_each(&commands.iter().collect::<Vec<_>>()).await
            }
            Self::Cluster(cluster) => cluster.send_many(commands).await,
        }
    }
}

/// Opens connections to one numbered database.
pub(crate) struct Connector {
    target: Target,
    handshake: Handshake,
    connect_timeout: Duration,
}

enum Target {
    Server(Box<Client>),
    // Owned, because Sentinel's client learns about new sentinels while it asks.
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterConnector>),
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.handshake.client_name();
        f.debug_struct("Connector").field("client_name", &name).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(config: &RedisConfig, index: u32, client_name: String) -> Result<Self> {
        let target = match config.url.scheme() {
            Scheme::Standalone | Scheme::Unix => Target::Server(Box::new(server(config, index)?)),
            Scheme::Sentinel => Target::Sentinel(Box::new(Mutex::new(sentinel(config, index)?))),
            Scheme::Cluster => Target::Cluster(Box::new(ClusterConnector::new(config, index)?)),
            other => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "connect",
                    format!("{} is not a Redis server ({other:?})", config.url),
                ));
            }
        };
        let handshake = handshake(config, client_name);
        Ok(Self { target, handshake, connect_timeout: config.connect_timeout })
    }

    /// How long opening a connection may take. The search for a master or for the nodes of a cluster precedes the
    /// connection itself.
    pub(crate) fn limit(&self) -> Duration {
        match self.target {
            Target::Server(_) => self.connect_timeout,
            Target::Sentinel(_) | Target::Cluster(_) => self.connect_timeout * 2,
        }
    }

    /// Opens a connection, within [`Connector::limit`].
    pub(crate) async fn open(&self) -> Result<Wire> {
        self.within_limit(async {
            let opened = self.open_unbounded().await;
            opened.map_err(|error| convert("connect", Phase::Connect, &error))
        })
        .await
    }

    /// Opens a connection to one server, not to a cluster. Its messages go to `listener`.
    pub(crate) async fn open_listening(&self, listener: Listener) -> Result<Hearing> {
        self.within_limit(async {
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
                        "a cluster is not one server; use the address of a node",
                    ));
                }
            };
            let heard = self.handshake.listen(&client, listener).await;
            heard.map_err(|error| convert("connect", Phase::Connect, &error))
        })
        .await
    }

    async fn within_limit<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.limit();
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "connect",
                format!("no connection within {limit:?}; the server is busy, paused or down"),
            ))
        })
    }

    /// The address of the server that [`Connector::open`] connects to, and the login.
    pub(crate) async fn locate(&self) -> Result<ConnectionInfo> {
        self.within_limit(self.locate_unbounded()).await
    }

    async fn locate_unbounded(&self) -> Result<ConnectionInfo> {
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
                "a cluster is not one server; use the address of a node",
            )),
        }
    }

    async fn open_unbounded(&self) -> RedisResult<Wire> {
        match &self.target {
            Target::Server(client) => self.handshake.open(client).await.map(Wire::Single),
            Target::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await?;
                self.handshake.open(&master).await.map(Wire::Single)
            }
            Target::Cluster(cluster) => cluster.open().await.map(Wire::Cluster),
        }
    }
}

/// Opens connections to single nodes of a cluster.
pub(crate) struct NodeConnector {
    config: RedisConfig,
    index: u32,
    handshake: Handshake,
}

impl std::fmt::Debug for NodeConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.handshake.client_name();
        f.debug_struct("NodeConnector").field("client_name", &name).finish_non_exhaustive()
    }
}

impl NodeConnector {
    pub(crate) fn new(config: &RedisConfig, index: u32, client_name: String) -> Self {
        Self { config: config.clone(), index, handshake: handshake(config, client_name) }
    }

    /// Opens a connection to the first node that answers; its messages go to `listener`.
    pub(crate) async fn open_listening(&self, listener: Listener) -> Result<Hearing> {
        let mut last = None;
        for address in self.config.url.addresses() {
            let client = client_at(&self.config, Some(address), self.index)?;
            match self.handshake.listen(&client, Listener::clone(&listener)).await {
                Ok(heard) => return Ok(heard),
                Err(error) => last = Some(convert("connect", Phase::Connect, &error)),
            }
        }
        Err(last.unwrap_or_else(|| wrong(&self.config, "there is no host in it")))
    }

    /// The addresses in the URL as `host:port`, the form in which nodes name each other.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.config.url.addresses().map(|(name, port)| format!("{name}:{port}")).collect()
    }

    /// Connects to the node at `host:port`.
    pub(crate) async fn open(&self, address: &str) -> RedisResult<BoundedConnection> {
        let client = client_at(&self.config, host_and_port(address), self.index);
        let client = client.map_err(|error| {
            let what = error.message().to_owned();
            redis::RedisError::from((redis::ErrorKind::InvalidClientConfig, "node", what))
        })?;
        self.handshake.open(&client).await
    }
}

/// Splits `host:port`, the form in which nodes of a cluster name each other. An IPv6 address may be in brackets.
pub(crate) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    Some((inner.unwrap_or(host), port.parse().ok()?))
}

fn handshake(config: &RedisConfig, client_name: String) -> Handshake {
    let (connect, response) = (config.connect_timeout, config.response_timeout);
    Handshake::new(connect, response, client_name, config.tls.clone())
}

fn server(config: &RedisConfig, index: u32) -> Result<Client> {
    client_at(config, config.url.addresses().next(), index)
}

fn sentinel(config: &RedisConfig, index: u32) -> Result<SentinelClient> {
    let service = config.url.service();
    let mut sentinels = Vec::new();
    let mut login = None;
    for address in config.url.addresses() {
        let info = connection_info(config, Some(address), index)?;
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
