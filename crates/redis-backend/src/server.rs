//! A server as an administrator sees it: raw names, any command, each numbered database and node.

use compartment_core::{Error, InstanceUrl, Result};
use redis::{Cmd, FromRedisValue, Pipeline, Value};

use crate::connector::{Connector, Wire};
use crate::error::{Phase, convert};
use crate::link::Repeat;
use crate::probe::{ServerInfo, Topology, probe};
use crate::{RedisConfig, scan};

/// A server or cluster that has been looked at, for commands that no store has.
#[derive(Clone, Debug)]
pub struct Server {
    config: RedisConfig,
    info: ServerInfo,
}

impl Server {
    /// Connects and asks the server what it is. Writes nothing.
    ///
    /// # Errors
    /// The server is away, refuses the login, or is none; with its address and what to do.
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        let info = probe(&config).await?;
        Ok(Self { config, info })
    }

    /// What the server is.
    #[must_use]
    pub fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// How it is reached.
    #[must_use]
    pub fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// The address, its password hidden.
    #[must_use]
    pub fn url(&self) -> &InstanceUrl {
        &self.config.url
    }

    /// Whether it is a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.info.topology == Topology::Cluster
    }

    /// Opens a connection to numbered database `index`, which `CLIENT LIST` shows as `name`.
    ///
    /// # Errors
    /// When the server cannot be reached, or has no such database.
    pub async fn open(&self, index: u32, name: &str) -> Result<Connection> {
        let connector = Connector::new(&self.config, index, name.to_owned())?;
        let wire = connector.open().await.map_err(|error| self.at(&error))?;
        Ok(Connection { wire, location: self.config.url.to_string() })
    }

    /// Opens a connection to each node that holds keys: one, or the masters of a cluster.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub async fn open_nodes(&self, index: u32, name: &str) -> Result<Vec<Connection>> {
        let mut connection = self.open(index, name).await?;
        if !self.is_cluster() {
            return Ok(vec![connection]);
        }
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        let ranges: Vec<Vec<Value>> = connection.ask("list nodes", &slots).await?;
        let mut nodes = Vec::new();
        for (host, port) in scan::masters(ranges) {
            nodes.push(self.node_connection(&connection, host, port));
        }
        Ok(nodes)
    }

    fn node_connection(&self, cluster: &Connection, host: String, port: u16) -> Connection {
        let location = format!("{host}:{port}");
        let wire = match &cluster.wire {
            Wire::Cluster(wire) => Wire::Node { cluster: wire.clone(), host, port },
            other => other.clone(),
        };
        Connection { wire, location }
    }

    fn at(&self, error: &Error) -> Error {
        Error::new(error.kind(), "connect", format!("{}: {}", self.config.url, error.message()))
    }
}

/// A connection to one numbered database of a server, a cluster, or one node of a cluster. Clones
/// share it.
#[derive(Clone)]
pub struct Connection {
    wire: Wire,
    location: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Connection {
    /// Which server or node it goes to, any password hidden.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Sends one command, once.
    ///
    /// # Errors
    /// The server's or the connection's, in Compartment's terms.
    pub async fn ask<T: FromRedisValue>(
        &mut self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T> {
        let answer = self.wire.send(command, Repeat::OnlyIfNotSent).await;
        answer
            .and_then(Value::extract_error)
            .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
            .map_err(|error| convert(operation, Phase::Request, &error))
    }

    /// Sends many commands in one round trip; an answer for each, in order, which may be
    /// [`Value::ServerError`]: see [`answer_error`].
    ///
    /// # Errors
    /// The connection's: then it is not known which of them were executed.
    pub async fn ask_each(
        &mut self,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.wire.send_pipeline(commands).await;
        answers.map_err(|error| convert(operation, Phase::Request, &error))
    }
}

/// The error that a server gave as its answer to one of many commands, if it gave one.
#[must_use]
pub fn answer_error(operation: &'static str, answer: &Value) -> Option<Error> {
    let Value::ServerError(error) = answer else { return None };
    Some(convert(operation, Phase::Request, &error.clone().into()))
}

/// The answer to one of many commands as a `T`.
///
/// # Errors
/// The server's, or that the answer is of another type.
pub fn read_answer<T: FromRedisValue>(operation: &'static str, answer: Value) -> Result<T> {
    answer
        .extract_error()
        .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
        .map_err(|error| convert(operation, Phase::Request, &error))
}
