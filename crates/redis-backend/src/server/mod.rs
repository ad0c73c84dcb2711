//! A server for administration: raw names, any command, each numbered database and node.

pub(crate) mod allowed_name;
pub(crate) mod identity;
pub(crate) mod isolation;
pub(crate) mod probe;
pub(crate) mod served_time;

use compartment_core::{Error, InstanceUrl, Result};
use redis::{Cmd, FromRedisValue, Pipeline, Value};

use crate::RedisConfig;
use crate::error::{Phase, convert};
use crate::server::probe::{ServerInfo, Topology, probe};
use crate::server::served_time::ServedTime;
use crate::wire::bounded::BoundedConnection;
use crate::wire::connector::{Connector, NodeConnector, Wire};
use crate::wire::packed::Packed;
use crate::wire::slots::Slots;

/// A probed server or cluster, for commands that no store has.
#[derive(Clone, Debug)]
pub struct Server {
    config: RedisConfig,
    info: ServerInfo,
}

impl Server {
    /// Connects and probes the server. Writes nothing.
    ///
    /// # Errors
    /// The server is unavailable, rejects the login, or is not a Redis server; the error has its address and what to
    /// do.
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        let info = probe(&config).await?;
        Ok(Self { config, info })
    }

    /// A server that was probed before.
    pub(crate) fn known(config: RedisConfig, info: ServerInfo) -> Self {
        Self { config, info }
    }

    /// The findings of the probe.
    #[must_use]
    pub fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// The settings of its connections.
    #[must_use]
    pub fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// The address, with its password hidden.
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
    /// If the server cannot be reached or does not have this database.
    pub async fn open(&self, index: u32, name: &str) -> Result<Connection> {
        let location = self.config.url.to_string();
        if self.is_cluster() {
            let slots = self.slots(index, name).await?;
            return Ok(Connection { way: Way::Slots(slots), location, served: None });
        }
        let connector = Connector::new(&self.config, index, name.to_owned())?;
        match connector.open().await.map_err(|error| self.at(&error))? {
            Wire::Single(connection) => {
                Ok(Connection { way: Way::One(connection), location, served: None })
            }
            Wire::Cluster(_) => Err(self.at(&Error::new(
                compartment_core::ErrorKind::Configuration,
                "connect",
                "this is a cluster, and its URL does not say so",
            ))),
        }
    }

    /// Opens a connection to each node with keys: one, or the masters of a cluster.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub async fn open_nodes(&self, index: u32, name: &str) -> Result<Vec<Connection>> {
        if !self.is_cluster() {
            return Ok(vec![self.open(index, name).await?]);
        }
        let masters = self.slots(index, name).await?.masters().await;
        let masters =
            masters.map_err(|error| self.at(&convert("list nodes", Phase::Connect, &error)))?;
        let connection =
            |(location, one)| Connection { way: Way::One(one), location, served: None };
        Ok(masters.into_iter().map(connection).collect())
    }

    async fn slots(&self, index: u32, name: &str) -> Result<Slots> {
        let connector = NodeConnector::new(&self.config, index, name.to_owned());
        let opened = Slots::open(connector).await;
        opened.map_err(|error| self.at(&convert("connect", Phase::Connect, &error)))
    }

    /// The error with the server's address.
    pub(crate) fn at(&self, error: &Error) -> Error {
        Error::new(error.kind(), "connect", format!("{}: {}", self.config.url, error.message()))
    }
}

/// A connection to one numbered database of a server, a cluster, or one node of a cluster. Clones
/// share it.
#[derive(Clone)]
pub struct Connection {
    way: Way,
    location: String,
    served: Option<ServedTime>,
}

#[derive(Clone)]
enum Way {
    /// A server, or one node of a cluster.
    One(BoundedConnection),
    /// A cluster, by the slots of the keys.
    Slots(Slots),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Connection {
    /// The server or node of the connection, with any password hidden.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Adds to `served` from now on how long the server works on each request. A connection to a whole cluster adds
    /// nothing.
    pub fn measure(&mut self, served: &ServedTime) {
        self.served = Some(served.clone());
    }

    /// Sends one command once.
    ///
    /// # Errors
    /// The server's or the connection's, as Compartment errors.
    pub async fn ask<T: FromRedisValue>(
        &mut self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T> {
        let answer = match (&mut self.way, &self.served) {
            (Way::One(connection), Some(served)) => {
                let answers = served.during(connection, std::iter::once(command)).await;
                answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
            }
            (Way::One(connection), None) => connection.send(command).await,
            (Way::Slots(slots), _) => {
                let answers = slots.send(&[command]).await;
                answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
            }
        };
        answer
            .and_then(Value::extract_error)
            .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
            .map_err(|error| convert(operation, Phase::Request, &error))
    }

    /// Sends many commands in one round trip; returns an answer for each, in order, which may be
    /// [`Value::ServerError`]: see [`answer_error`].
    ///
    /// # Errors
    /// The connection's; it is then unknown which commands were executed.
    pub async fn ask_each(
        &mut self,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let answers = match (&mut self.way, &self.served) {
            (Way::One(connection), Some(served)) => {
                served.during(connection, commands.cmd_iter()).await
            }
            (Way::One(connection), None) => {
                connection.send_each(&commands.cmd_iter().collect::<Vec<_>>()).await
            }
            (Way::Slots(slots), _) => slots.send(&commands.cmd_iter().collect::<Vec<_>>()).await,
        };
        answers.map_err(|error| convert(operation, Phase::Request, &error))
    }

    /// Asks questions about many keys in one round trip. A question is a command in capital letters without its last
    /// argument, which is the key. Returns the answers to all questions about the first key, then about the next, as
    /// [`Connection::ask_each`] does.
    ///
    /// # Errors
    /// As [`Connection::ask_each`].
    pub async fn ask_about<K: AsRef<[u8]>>(
        &mut self,
        operation: &'static str,
        questions: &[&[&str]],
        keys: &[K],
    ) -> Result<Vec<Value>> {
        if keys.is_empty() || questions.is_empty() {
            return Ok(Vec::new());
        }
        let answers = match (&mut self.way, &self.served) {
            (Way::One(connection), Some(served)) => {
                served.during_packed(connection, Packed::about(questions, keys)).await
            }
            (Way::One(connection), None) => {
                connection.send_packed(Packed::about(questions, keys)).await
            }
            (Way::Slots(slots), _) => {
                let mut commands = Vec::with_capacity(keys.len() * questions.len());
                for key in keys {
                    for words in questions {
                        let mut command = Cmd::new();
                        command.arg(*words).arg(key.as_ref());
                        commands.push(command);
                    }
                }
                slots.send(&commands.iter().collect::<Vec<_>>()).await
            }
        };
        answers.map_err(|error| convert(operation, Phase::Request, &error))
    }
}

/// The error in the answer to one of many commands, if it is one.
#[must_use]
pub fn answer_error(operation: &'static str, answer: &Value) -> Option<Error> {
    let Value::ServerError(error) = answer else { return None };
    Some(convert(operation, Phase::Request, &error.clone().into()))
}

/// Converts the answer to one of many commands to a `T`.
///
/// # Errors
/// The server's; an answer of another type.
pub fn read_answer<T: FromRedisValue>(operation: &'static str, answer: Value) -> Result<T> {
    answer
        .extract_error()
        .and_then(|value| redis::from_redis_value(value).map_err(Into::into))
        .map_err(|error| convert(operation, Phase::Request, &error))
}
