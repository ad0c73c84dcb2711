//! Channels on Redis: published over the database's connections, received over a separate one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{ChannelStore, Error, ErrorKind, Result, Subscription};
use futures_util::stream::{self, StreamExt};
use tokio::sync::{Notify, oneshot};

use crate::link::Link;
use crate::repeat::{BACKOFF, Repeat};
use crate::stores::mailbox::Mailbox;
use crate::wire::allowance::{Allowance, ConnectionAllowance};
use crate::wire::connector::{Connector, NodeConnector};
use crate::wire::handshake::{Heard, Hearing, Listener};

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
    /// A connection that is subscribed to `name`, whose messages go to `mailbox`.
    async fn open(&self, name: &str, mailbox: &Arc<Mailbox>) -> Result<Open> {
        let ended = Arc::new(Notify::new());
        let (end, mailbox) = (Arc::clone(&ended), Arc::clone(mailbox));
        let listener: Listener = Arc::new(move |heard| match heard {
            Heard::Message(message) => mailbox.message(message),
            Heard::End => end.notify_one(),
        });
        let mut connection = match self {
            Self::Server(connector) => connector.open_listening(listener).await?,
            Self::Nodes(nodes) => nodes.open_listening(listener).await?,
        };
        connection.subscribe(name).await.map_err(|error| {
            crate::error::convert("subscribe", crate::error::Phase::Request, &error)
        })?;
        Ok(Open { connection, ended })
    }
}

/// An open connection of a subscription.
struct Open {
    connection: Hearing,
    /// Notified when it has ended.
    ended: Arc<Notify>,
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
        let (mailbox, ear) = (Arc::new(Mailbox::default()), Arc::clone(&self.ear));
        let open = ear.open(&name, &mailbox).await;
        let open = open.map_err(|error: Error| error.in_database(&self.link.contract.name))?;
        let (subscriber, gone) = oneshot::channel();
        let listening =
            Listening { ear, name, mailbox: Arc::clone(&mailbox), _allowance: allowance };
        tokio::spawn(listening.run(open, gone));
        Ok(stream::unfold((mailbox, subscriber), |(mailbox, subscriber)| async move {
            let event = mailbox.next().await;
            Some((event, (mailbox, subscriber)))
        })
        .boxed())
    }
}

/// One subscription; it ends when its subscriber is gone.
struct Listening {
    ear: Arc<Ear>,
    name: String,
    mailbox: Arc<Mailbox>,
    _allowance: Allowance,
}

impl Listening {
    /// Keeps a connection open until the sender of `gone` is dropped.
    async fn run(self, mut open: Open, mut gone: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                _ = &mut gone => return,
                () = open.ended.notified() => {}
                () = until_silent(&mut open.connection) => {}
            }
            self.mailbox.lost();
            open = tokio::select! {
                _ = &mut gone => return,
                again = self.open_again() => again,
            };
        }
    }

    async fn open_again(&self) -> Open {
        let mut pauses = BACKOFF.pauses();
        loop {
            match self.ear.open(&self.name, &self.mailbox).await {
                Ok(open) => {
                    self.mailbox.resumed();
                    return open;
                }
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
