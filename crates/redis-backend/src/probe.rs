//! Looks at a server before it is used: what it is, how many databases, whether they are apart.

use compartment_core::{Error, ErrorKind, Result};
use redis::{Cmd, Value};

use crate::RedisConfig;
use crate::connector::{Connector, Wire};
use crate::error::{Phase, convert};

/// How a server is set up.
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

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The program, `redis` or `valkey`.
    pub server: String,
    /// Its version.
    pub version: String,
    /// How it is set up.
    pub topology: Topology,
    /// How many numbered databases it has, if it says.
    pub databases: Option<u32>,
    /// Its `maxmemory-policy`, if it says.
    pub eviction_policy: Option<String>,
    /// The most bytes of one value that it takes (`proto-max-bulk-len`), if it says.
    pub max_value_bytes: Option<u64>,
}

/// The oldest version whose commands and scripts are all used here.
const OLDEST: (u32, u32) = (6, 2);

/// Asks the server what it is.
pub(crate) async fn probe(config: &RedisConfig) -> Result<ServerInfo> {
    let connector = Connector::new(config, 0, "compartment:probe".into())?;
    let mut wire = connector.open().await.map_err(|error| at(config, error))?;
    let info: Value = ask(&mut wire, redis::cmd("INFO").arg("server"))
        .await
        .map_err(|error| at(config, error))?;
    let info: String = redis::from_redis_value(of_one_node(info))
        .map_err(|error| at(config, convert("connect", Phase::Request, &error.into())))?;
    let field = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let version = field("redis_version").unwrap_or_default().to_owned();
    let valkey = field("valkey_version");
    check_version(config, &version)?;
    let topology = match (config.url.scheme(), field("redis_mode")) {
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
    // A cluster that does not know the setting has database 0 only.
    let databases = if topology == Topology::Cluster { databases.or(Some(1)) } else { databases };
    Ok(ServerInfo {
        server: if valkey.is_some() { "valkey" } else { "redis" }.into(),
        version: valkey.map_or(version, str::to_owned),
        topology,
        databases,
        eviction_policy: setting_of(&mut wire, "maxmemory-policy").await,
        max_value_bytes: setting_of(&mut wire, "proto-max-bulk-len")
            .await
            .and_then(|bytes| bytes.parse().ok()),
    })
}

/// Writes a canary in each numbered database and looks for it in the others: some servers accept
/// `SELECT` and ignore it, and every purpose then shares one keyspace silently.
pub(crate) async fn prove_isolation(config: &RedisConfig, indexes: &[u32]) -> Result<()> {
    let Some(index) = indexes.iter().copied().find(|index| *index != 0) else { return Ok(()) };
    let open =
        async |index| Connector::new(config, index, "compartment:probe".into())?.open().await;
    let fail = |error| at(config, error);
    let mut there = open(index).await.map_err(fail)?;
    let mut zero = open(0).await.map_err(fail)?;
    let canary = format!(
        "compartment:canary:{}:{:?}",
        std::process::id(),
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    );
    // It expires by itself should this process die in between.
    let mut write = redis::cmd("SET");
    write.arg(&canary).arg(index).arg("PX").arg(10_000);
    ask::<Value>(&mut there, &write).await.map_err(fail)?;
    let mut look = redis::cmd("EXISTS");
    look.arg(&canary);
    let seen: i64 = ask(&mut zero, &look).await.map_err(fail)?;
    let mut remove = redis::cmd("DEL");
    remove.arg(&canary);
    let _ = ask::<Value>(&mut there, &remove).await;
    if seen == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NotIsolated,
        "connect",
        format!(
            "{}: the server accepts SELECT {index} and ignores it, so all databases are one; give \
             each database a prefix instead of an index, or use a server with numbered databases",
            config.url
        ),
    ))
}

async fn ask<T: redis::FromRedisValue>(wire: &mut Wire, command: &Cmd) -> Result<T> {
    let answer = wire.send(command).await.and_then(Value::extract_error);
    answer
        .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
        .map_err(|error| convert("connect", Phase::Request, &error))
}

/// A cluster's nodes are all asked, and answer in a map by address: one of them will do.
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

/// A setting, where the server lets one ask: managed ones do not.
async fn setting_of(wire: &mut Wire, name: &str) -> Option<String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answer: Value = ask(wire, &command).await.ok()?;
    let settings: Vec<(String, String)> = redis::from_redis_value(of_one_node(answer)).ok()?;
    settings.into_iter().find(|(setting, _)| setting == name).map(|(_, value)| value)
}

fn check_version(config: &RedisConfig, version: &str) -> Result<()> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    Err(wrong(
        config,
        &format!("the server is version {version:?}; {}.{} or newer is needed", OLDEST.0, OLDEST.1),
    ))
}

fn wrong(config: &RedisConfig, what: &str) -> Error {
    Error::new(ErrorKind::Configuration, "connect", format!("{}: {what}", config.url))
}

/// The same error, saying which server it was about.
fn at(config: &RedisConfig, error: Error) -> Error {
    let message = format!("{}: {}", config.url, error.message());
    Error::new(error.kind(), "connect", message).caused_by(error)
}
