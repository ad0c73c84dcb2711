//! Probes a server before it is used: its kind, version, identity and number of databases.

use compartment_core::{Contract, Error, Placement, Result};
use redis::{Cmd, RedisError, Value};

use crate::RedisConfig;
use crate::error::{Phase, convert, is_hidden};
use crate::wire::connector::{Connector, Wire};
use crate::wire::diagnosis::about_tls;
use crate::wire::login::wrong;

/// The set-up of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// One server, with or without replicas.
    Standalone,
    /// The master that Sentinel named.
    Sentinel,
    /// A cluster.
    Cluster,
}

/// The findings of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The program, `redis` or `valkey`.
    pub server: String,
    /// The version; empty if the server hides it.
    pub version: String,
    /// Unique identifiers of the server: the run id, or the ids of a cluster's nodes. Empty if it hides them.
    pub identity: Vec<String>,
    /// The server's set-up.
    pub topology: Topology,
    /// The number of numbered databases, if the server reports it.
    pub databases: Option<u32>,
    /// The `maxmemory-policy`, if the server reports it.
    pub eviction_policy: Option<String>,
    /// The maximum size of one value in bytes (`proto-max-bulk-len`), if the server reports it.
    pub max_value_bytes: Option<u64>,
}

impl ServerInfo {
    /// Whether users can be kept to numbered databases (`db=` in their rules): Valkey since 9.1.
    #[must_use]
    pub fn has_rights_by_database(&self) -> bool {
        let mut numbers = self.version.split('.').map_while(|number| number.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        self.server == "valkey" && version >= (9, 1)
    }

    /// The contract with its placement on this server. If the server has index 0 only, as most clusters do, the
    /// database's name becomes a prefix.
    #[must_use]
    pub fn place(&self, contract: Contract) -> Contract {
        match &contract.placement {
            Placement::Index { instance, .. } if self.databases == Some(1) => {
                let prefix = format!("{}:", contract.name);
                let placement = Placement::Prefix { instance: instance.clone(), index: 0, prefix };
                contract.placement(placement)
            }
            _ => contract,
        }
    }
}

/// The oldest version that has all commands and script features used here.
const OLDEST: (u32, u32) = (6, 2);

/// Probes the server.
pub(crate) async fn probe(config: &RedisConfig) -> Result<ServerInfo> {
    let connector = Connector::new(config, 0, "compartment:probe".into())?;
    let mut wire = match connector.open().await {
        Ok(wire) => wire,
        Err(error) => return Err(at(config, about_tls(config, error).await)),
    };
    let about = About::ask(&mut wire).await.map_err(|error| at(config, error))?;
    let version = about.version().to_owned();
    check_version(config, &version)?;
    // Valkey has renamed the field.
    let mode = about.get("redis_mode").or_else(|| about.get("server_mode"));
    let topology = match (config.url.scheme(), mode) {
        (compartment_core::Scheme::Cluster, _) => Topology::Cluster,
        (compartment_core::Scheme::Sentinel, _) => Topology::Sentinel,
        (_, Some("cluster")) => {
            return Err(wrong(
                config,
                "this server is part of a cluster: use redis+cluster:// in its URL",
            ));
        }
        (_, Some("sentinel")) => {
            return Err(wrong(
                config,
                "this is a Sentinel: use redis+sentinel://…/<service> in its URL",
            ));
        }
        _ => Topology::Standalone,
    };
    let setting = if topology == Topology::Cluster { "cluster-databases" } else { "databases" };
    let databases = setting_of(&mut wire, setting).await.and_then(|n| n.parse().ok());
    // A cluster without this setting has database 0 only.
    let databases = if topology == Topology::Cluster { databases.or(Some(1)) } else { databases };
    Ok(ServerInfo {
        server: about.program().into(),
        version: about.get("valkey_version").map_or(version, str::to_owned),
        identity: match topology {
            Topology::Cluster => nodes_of(&mut wire).await,
            _ => about.run_id().into_iter().collect(),
        },
        topology,
        databases,
        eviction_policy: setting_of(&mut wire, "maxmemory-policy").await,
        max_value_bytes: setting_of(&mut wire, "proto-max-bulk-len")
            .await
            .and_then(|bytes| bytes.parse().ok()),
    })
}

async fn ask<T: redis::FromRedisValue>(wire: &mut Wire, command: &Cmd) -> Result<T> {
    let answer = wire.send(command).await.and_then(Value::extract_error);
    answer
        .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
        .map_err(|error| convert("connect", Phase::Request, &error))
}

/// The server's description of itself.
struct About {
    /// `INFO server`; empty if the user may not call it or the server does not have it.
    info: String,
    /// The answer to `HELLO`, which has less and is seldom hidden; only requested if `INFO` is hidden.
    hello: Vec<(String, String)>,
}

impl About {
    async fn ask(wire: &mut Wire) -> Result<Self> {
        match ask::<Value>(wire, redis::cmd("INFO").arg("server")).await {
            Ok(answer) => {
                let info = redis::from_redis_value(of_one_node(answer));
                let info = info.map_err(|error| {
                    convert("connect", Phase::Request, &RedisError::from(error))
                })?;
                Ok(Self { info, hello: Vec::new() })
            }
            Err(error) if is_hidden(&error) => {
                // A server that hides this too is used without it.
                let hello = ask::<Value>(wire, &redis::cmd("HELLO")).await.unwrap_or(Value::Nil);
                Ok(Self { info: String::new(), hello: texts(of_one_node(hello)) })
            }
            Err(error) => Err(error),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut lines = self.info.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let in_hello = match name {
            "redis_version" => "version",
            "redis_mode" => "mode",
            "valkey_version" if self.program() == "valkey" => "version",
            other => other,
        };
        let mut pairs = self.hello.iter();
        line.or_else(|| pairs.find(|(key, _)| key == in_hello).map(|(_, value)| value.as_str()))
    }

    fn version(&self) -> &str {
        self.get("redis_version").unwrap_or_default()
    }

    fn program(&self) -> &'static str {
        let in_hello = self.hello.iter().any(|(key, value)| key == "server" && value == "valkey");
        if in_hello || self.info.contains("valkey_version:") { "valkey" } else { "redis" }
    }

    fn run_id(&self) -> Option<String> {
        let id = self.get("run_id")?;
        (!id.trim_matches('0').is_empty()).then(|| id.to_owned())
    }
}

/// The pairs of a map whose values are text.
fn texts(answer: Value) -> Vec<(String, String)> {
    let flat = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(flat) => {
            let mut flat = flat.into_iter();
            std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
        }
        _ => Vec::new(),
    };
    let text = |value| redis::from_redis_value::<String>(value).ok();
    flat.into_iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect()
}

/// The ids of a cluster's nodes; empty if they are hidden.
async fn nodes_of(wire: &mut Wire) -> Vec<String> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("NODES");
    let Ok(answer) = ask::<Value>(wire, &command).await else { return Vec::new() };
    let nodes: String = redis::from_redis_value(of_one_node(answer)).unwrap_or_default();
    nodes.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// A command to all nodes of a cluster returns a map by address: take one node's answer.
fn of_one_node(answer: Value) -> Value {
    match answer {
        Value::Map(mut nodes) if nodes.iter().all(|(_, answer)| !is_plain(answer)) => {
            nodes.pop().map_or(Value::Nil, |(_, answer)| answer)
        }
        answer => answer,
    }
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::BulkString(_) | Value::SimpleString(_) | Value::Int(_))
}

/// A setting, if the server allows reading it; managed servers do not.
async fn setting_of(wire: &mut Wire, name: &str) -> Option<String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answer: Value = ask(wire, &command).await.ok()?;
    let settings: Vec<(String, String)> = redis::from_redis_value(of_one_node(answer)).ok()?;
    settings.into_iter().find(|(setting, _)| setting == name).map(|(_, value)| value)
}

fn check_version(config: &RedisConfig, version: &str) -> Result<()> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    // A server that hides its version cannot be checked.
    if version.is_empty() {
        return Ok(());
    }
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    Err(wrong(
        config,
        &format!("the server is version {version:?}; {}.{} or newer is needed", OLDEST.0, OLDEST.1),
    ))
}

/// Adds the server's address to an error.
fn at(config: &RedisConfig, error: Error) -> Error {
    let message = format!("{}: {}", config.url, error.message());
    Error::new(error.kind(), "connect", message).caused_by(error)
}
