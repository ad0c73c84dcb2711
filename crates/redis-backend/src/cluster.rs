//! A cluster's connections: one whose client repeats what failed, and one that never does.
//!
//! redis-rs's cluster client sends a command again after a broken connection, whether or not it may
//! have been executed. That is right for reads and idempotent writes. Everything else goes over a
//! second client without retries, which leaves redirections to be followed here.

use compartment_core::Result;
use redis::aio::ConnectionLike;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{
    Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisError, RedisResult, ServerErrorKind, Value,
};

use crate::RedisConfig;
use crate::connector::{certificates, connection_info};
use crate::error::{Phase, convert};
use crate::link::Repeat;

/// Opens both connections.
pub(crate) struct ClusterConnector {
    repeating: ClusterClient,
    once: ClusterClient,
}

impl ClusterConnector {
    pub(crate) fn new(config: &RedisConfig, index: u32) -> Result<Self> {
        // Redirections count as retries, and a reshard gives several in a row.
        let repeating = client(config, index, config.retries.max(3))?;
        Ok(Self { repeating, once: client(config, index, 0)? })
    }

    pub(crate) async fn open(&self) -> RedisResult<ClusterWire> {
        let (repeating, once) = futures_util::future::try_join(
            self.repeating.get_async_connection(),
            self.once.get_async_connection(),
        )
        .await?;
        Ok(ClusterWire { repeating, once })
    }
}

fn client(config: &RedisConfig, index: u32, retries: u32) -> Result<ClusterClient> {
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
        .retries(retries);
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

/// Both connections.
#[derive(Clone)]
pub(crate) struct ClusterWire {
    repeating: ClusterConnection,
    once: ClusterConnection,
}

impl ClusterWire {
    pub(crate) async fn send(&self, command: &Cmd, repeat: Repeat) -> RedisResult<Value> {
        match repeat {
            Repeat::Idempotent => self.repeating.clone().req_packed_command(command).await,
            Repeat::OnlyIfNotSent => {
                let answer = self.once.clone().req_packed_command(command).await;
                match answer.and_then(Value::extract_error) {
                    Err(error) => self.follow(command, error).await,
                    answer => answer,
                }
            }
        }
    }

    /// Sends many commands, to their nodes at once; those of one node keep their order on its
    /// connection. (A pipeline would go to one node.)
    pub(crate) async fn send_many(
        &self,
        commands: &[Cmd],
        repeat: Repeat,
    ) -> RedisResult<Vec<Value>> {
        let sent = commands.iter().map(|command| async move {
            match self.send(command, repeat).await {
                // A server's own answer to one command says nothing against the others.
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

    /// Sends a command to one node, whatever its keys are.
    pub(crate) async fn send_to_node(
        &self,
        command: Cmd,
        host: &str,
        port: u16,
    ) -> RedisResult<Value> {
        let route = RoutingInfo::SingleNode(by_address(host, port));
        self.repeating.clone().route_command(command, route).await
    }

    /// Follows the redirection of a slot that is on its way to another node. The node that
    /// redirects has executed nothing. (After `MOVED` the client looks at the slots anew by
    /// itself, and the caller sends the command again.)
    async fn follow(&self, command: &Cmd, error: RedisError) -> RedisResult<Value> {
        if error.kind() != ErrorKind::Server(ServerErrorKind::Ask) {
            return Err(error);
        }
        let target = error.redirect_node().and_then(|(address, _slot)| {
            let (host, port) = address.rsplit_once(':')?;
            Some((host.to_owned(), port.parse::<u16>().ok()?))
        });
        let Some((host, port)) = target else { return Err(error) };
        let mut asking = Pipeline::with_capacity(2);
        asking.add_command(redis::cmd("ASKING")).add_command(command.clone());
        let route = SingleNodeRoutingInfo::ByAddress { host, port };
        let answers = self.once.clone().route_pipeline(asking, 1, 1, route).await?;
        answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error()
    }
}
