//! Channels on Redis: published over the database's connections, received over a separate one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{ChannelEvent, ChannelStore, Error, ErrorKind, Result, Subscription};
use futures_util::stream::{self, StreamExt};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::link::Link;
use crate::repeat::{BACKOFF, Repeat};
use crate::wire::allowance::{Allowance, ConnectionAllowance};
use crate::wire::connector::{Connector, NodeConnector};
use crate::wire::handshake::Hearing;

/// A silently lost connection is detected within this time plus the response time-out.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The destination of a listening connection.
#[derive(Debug)]
pub(crate) enum Ear {
    Server(Box<Connector>),
    /// Any node, because a cluster forwards a message to all of them.
    Nodes(Box<NodeConnector>),
}

impl Ear {
    /// A connection that is subscribed to `name`, and its messages.
    async fn open(&self, name: &str) -> Result<(Hearing, UnboundedReceiver<PushInfo>)> {
        let (sender, pushes) = mpsc::unbounded_channel();
        let mut connection = match self {
            Self::Server(connector) => connector.open_listening(sender).await?,
            Self::Nodes(nodes) => nodes.open_listening(sender).await?,
        };
        connection.subscribe(name).await.map_err(|error| {
            crate::error::convert("subscribe", crate::error::Phase::Request, &error)
        })?;
        Ok((connection, pushes))
    }
}

#[derive(Debug)]
pub(crate) struct RedisChannel {
    link: Arc<Link>,
    ear: Arc<Ear>,
    connections: ConnectionAllowance,
}

impl RedisChannel {
    pub(crate) fn new(link: Arc<Link>, ear: Ear, connections: ConnectionAllowance) -> Self {
        Self { link, ear: Arc::new(ear), connections }
    }

    /// The channel's name on the server.
    fn name(&self, channel: &str) -> String {
        format!("compartment:{}:{channel}", self.link.contract.name)
    }
}

#[async_trait]
impl ChannelStore for RedisChannel {
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.name(channel)).arg(&message[..]);
        let heard: i64 = self.link.query(Repeat::OnlyIfNotSent, "publish", "", &command).await?;
        // On a cluster this counts one node's subscribers only, so it is not returned.
        let _ = heard;
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription> {
        let allowance = self.connections.take(&self.link.contract, 1, &self.link.traffic)?;
        let name = self.name(channel);
        let in_database = |error: Error| error.in_database(&self.link.contract.name);
        let (connection, pushes) = self.ear.open(&name).await.map_err(in_database)?;
        let (sender, events) = mpsc::unbounded_channel();
        let listening =
            Listening { ear: Arc::clone(&self.ear), name, sender, _allowance: allowance };
        tokio::spawn(listening.run(connection, pushes));
        Ok(stream::unfold(events, |mut events| async move {
            let event = events.recv().await?;
            Some((event, events))
        })
        .boxed())
    }
}

/// One subscription; it ends when its events are no longer read.
struct Listening {
    ear: Arc<Ear>,
    name: String,
    sender: UnboundedSender<ChannelEvent>,
    _allowance: Allowance,
}

impl Listening {
    async fn run(self, mut connection: Hearing, mut pushes: UnboundedReceiver<PushInfo>) {
        loop {
            tokio::select! {
                biased;
                () = self.sender.closed() => return,
                () = self.pass_on(&mut pushes) => {}
                () = until_silent(&mut connection) => {}
            }
            // Messages received before the loss was noticed still count.
            while let Ok(push) = pushes.try_recv() {
                self.pass(push);
            }
            if self.sender.send(ChannelEvent::Lost).is_err() {
                return;
            }
            let again = tokio::select! {
                () = self.sender.closed() => return,
                again = self.open_again() => again,
            };
            (connection, pushes) = again;
            if self.sender.send(ChannelEvent::Resumed).is_err() {
                return;
            }
        }
    }

    /// Forwards messages until the connection reports its end.
    async fn pass_on(&self, pushes: &mut UnboundedReceiver<PushInfo>) {
        while let Some(push) = pushes.recv().await {
            if push.kind == PushKind::Disconnection {
                return;
            }
            self.pass(push);
        }
    }

    fn pass(&self, push: PushInfo) {
        if push.kind != PushKind::Message {
            return;
        }
        if let Some(Value::BulkString(message)) = push.data.into_iter().nth(1) {
            // If the subscriber is gone, the next iteration ends this task.
            let _ = self.sender.send(ChannelEvent::Message(message.into()));
        }
    }

    async fn open_again(&self) -> (Hearing, UnboundedReceiver<PushInfo>) {
        let mut pauses = BACKOFF.pauses();
        loop {
            match self.ear.open(&self.name).await {
                Ok(open) => return open,
                Err(error) if error.kind() == ErrorKind::Authentication => {
                    tracing::warn!(%error, "a lost subscription is refused");
                }
                Err(_) => {}
            }
            tokio::time::sleep(pauses.next_pause()).await;
        }
    }
}

/// Resolves when the server no longer answers.
async fn until_silent(connection: &mut Hearing) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if connection.ping().await.is_err() {
            return;
        }
    }
}
