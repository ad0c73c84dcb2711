//! Channels in memory: one hub for all databases of a backend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{ChannelEvent, ChannelStore, Result, Subscription};
use futures_util::stream::{self, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::backend::MemoryStores;

/// A subscriber that is this many messages behind loses the oldest, and is told so.
const MOST_WAITING: usize = 1_024;

/// Who listens to which channel of which database. As on a server, the database's name is part
/// of a channel's, and its place is not.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    channels: Mutex<HashMap<(String, String), broadcast::Sender<Bytes>>>,
}

impl Hub {
    fn publish(&self, database: &str, channel: &str, message: Bytes) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (database.to_owned(), channel.to_owned());
        // The last subscriber may have gone: a channel that nobody hears is forgotten.
        if channels.get(&name).is_some_and(|sender| sender.send(message).is_err()) {
            channels.remove(&name);
        }
    }

    fn subscribe(&self, database: &str, channel: &str) -> broadcast::Receiver<Bytes> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels
            .entry((database.to_owned(), channel.to_owned()))
            .or_insert_with(|| broadcast::Sender::new(MOST_WAITING))
            .subscribe()
    }
}

#[async_trait]
impl ChannelStore for MemoryStores {
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()> {
        self.hub.publish(&self.contract.name, channel, message);
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription> {
        let receiver = self.hub.subscribe(&self.contract.name, channel);
        // The hub is kept alive: without it the stream would end with the backend.
        let state = (receiver, false, Arc::clone(&self.hub));
        Ok(stream::unfold(state, |(mut receiver, behind, hub)| async move {
            if behind {
                return Some((ChannelEvent::Resumed, (receiver, false, hub)));
            }
            let event = match receiver.recv().await {
                Ok(message) => ChannelEvent::Message(message),
                Err(RecvError::Lagged(_)) => ChannelEvent::Lost,
                Err(RecvError::Closed) => std::future::pending().await,
            };
            let behind = event == ChannelEvent::Lost;
            Some((event, (receiver, behind, hub)))
        })
        .boxed())
    }
}
