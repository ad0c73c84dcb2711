//! A cluster's connections. Its client does not retry on its own.
//!
//! redis-rs's cluster client repeats a command after a broken connection even if it may have been executed, and its
//! count of retries would multiply ours. So its retries are turned off: redirections are followed here, and all other
//! retries are decided as for a single server.

use compartment_core::Result;
use redis::aio::ConnectionLike;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{
    Arg, Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisError, RedisResult, ServerErrorKind, Value,
};

use crate::RedisConfig;
use crate::error::{Phase, convert};
use crate::wire::handshake::hides_hello;
use crate::wire::login::{certificates, connection_info};

/// Opens the connections.
pub(crate) struct ClusterConnector {
    client: ClusterClient,
    /// For nodes that hide `HELLO`.
    in_resp2: ClusterClient,
}

impl ClusterConnector {
    pub(crate) fn new(config: &RedisConfig, index: u32) -> Result<Self> {
        Ok(Self {
            client: client(config, index, ProtocolVersion::RESP3)?,
            in_resp2: client(config, index, ProtocolVersion::RESP2)?,
        })
    }

    pub(crate) async fn open(&self) -> RedisResult<ClusterWire> {
        let nodes = match self.client.get_async_connection().await {
            Err(error) if hides_hello(&error) => self.in_resp2.get_async_connection().await,
            answer => answer,
        };
        nodes.map(|nodes| ClusterWire { nodes })
    }
}

fn client(config: &RedisConfig, index: u32, protocol: ProtocolVersion) -> Result<ClusterClient> {
    let nodes = config
        .url
        .addresses()
        .map(|address| connection_info(config, Some(address), 0))
        .collect::<Result<Vec<_>>>()?;
    let mut builder = ClusterClientBuilder::new(nodes)
        .use_protocol(protocol)
        .connection_timeout(config.connect_timeout)
        .response_timeout(config.response_timeout)
        .retries(0);
    if index > 0 {
        builder = builder.database_id(i64::from(index));
    }
    if let Some(files) = certificates(config)? {
        builder = builder.certs(files);
    }
    builder.build().map_err(|error| convert("connect", Phase::Connect, &error))
}

fn by_address(host: &str, port: u16) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port }
}

/// The maximum number of redirections of one request. A slot that is moving causes two; a node that does not know its
/// new place yet causes some more.
const MAX_REDIRECTIONS: usize = 5;

/// The connections to every node.
#[derive(Clone)]
pub(crate) struct ClusterWire {
    nodes: ClusterConnection,
}

impl ClusterWire {
    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let answer = self.nodes.clone().req_packed_command(command).await;
        match answer.and_then(Value::extract_error) {
            Err(error) if is_redirection(&error) => match keys_of_several(command) {
                // Its keys are in several slots, and one of these has moved or is moving.
                Some((verb, keys)) => Box::pin(self.send_by_key(verb, keys)).await,
                None => self.follow(command, error).await,
            },
            answer => answer,
        }
    }

    /// Sends a command about many keys separately for each key, and combines the answers.
    async fn send_by_key(&self, verb: &[u8], keys: Vec<&[u8]>) -> RedisResult<Value> {
        let (mut found, mut sum) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            let mut command = Cmd::with_capacity(2, verb.len() + key.len());
            command.arg(verb).arg(key);
            match self.send(&command).await? {
                Value::Array(values) => found.extend(values),
                Value::Int(count) => sum += count,
                other => return Ok(other),
            }
        }
        Ok(if verb == b"MGET" { Value::Array(found) } else { Value::Int(sum) })
    }

    /// Sends many commands to their nodes concurrently; those of one node keep their order on its connection. (A
    /// pipeline would be sent to one node.)
    pub(crate) async fn send_many(&self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        let sent = commands.iter().map(|command| async move {
            match self.send(command).await {
                // A server's error for one command does not affect the others.
                Err(error) => match error.clone().into_server_errors() {
                    Some(errors) if errors.len() == 1 => {
                        Ok(Value::ServerError(errors[0].1.clone()))
                    }
                    _ => Err(error),
                },
                answer => answer,
            }
        });
        futures_util::future::join_all(sent).await.into_iter().collect()
    }

    /// Sends a command to one node, independently of its keys.
    pub(crate) async fn send_to_node(
        &self,
        command: Cmd,
        host: &str,
        port: u16,
    ) -> RedisResult<Value> {
        let route = RoutingInfo::SingleNode(by_address(host, port));
        self.nodes.clone().route_command(command, route).await
    }

    /// Follows redirections for a slot that has moved or is moving. A node that redirects has executed nothing.
    /// (After `MOVED` the client refreshes its slots.)
    async fn follow(&self, command: &Cmd, mut error: RedisError) -> RedisResult<Value> {
        for _ in 0..MAX_REDIRECTIONS {
            if !is_redirection(&error) {
                return Err(error);
            }
            let is_asking = error.kind() == ErrorKind::Server(ServerErrorKind::Ask);
            let target = error.redirect_node().and_then(|(address, _slot)| {
                let (host, port) = address.rsplit_once(':')?;
                Some(by_address(host, port.parse::<u16>().ok()?))
            });
            let Some(route) = target else { return Err(error) };
            let mut nodes = self.nodes.clone();
            let answer = if is_asking {
                let mut asking = Pipeline::with_capacity(2);
                asking.add_command(redis::cmd("ASKING")).add_command(command.clone());
                let answers = nodes.route_pipeline(asking, 1, 1, route).await?;
                answers.into_iter().next_back().unwrap_or(Value::Nil)
            } else {
                nodes.route_command(command.clone(), RoutingInfo::SingleNode(route)).await?
            };
            match answer.extract_error() {
                Err(again) => error = again,
                answer => return answer,
            }
        }
        Err(error)
    }
}

fn is_redirection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Ask) | ErrorKind::Server(ServerErrorKind::Moved)
    )
}

/// The verb and the keys of a command about several keys, which the client splits between nodes.
fn keys_of_several(command: &Cmd) -> Option<(&[u8], Vec<&[u8]>)> {
    let mut arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let verb = arguments.next()?;
    let keys: Vec<&[u8]> = arguments.collect();
    let is_of_keys = [&b"MGET"[..], b"UNLINK", b"EXISTS"].contains(&verb);
    (is_of_keys && keys.len() > 1).then_some((verb, keys))
}
