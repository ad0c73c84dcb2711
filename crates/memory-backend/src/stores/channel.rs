//! Channels in memory: one hub for all databases of a backend.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{ChannelEvent, ChannelStore, Result, Subscription};
use futures_util::stream::{self, StreamExt};
use tokio::sync::broadcast::error::RecvError;

use crate::backend::MemoryStores;

#[async_trait]
impl ChannelStore for MemoryStores {
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()> {
        self.hub.publish(&self.contract.name, channel, message);
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription> {
        let receiver = self.hub.subscribe(&self.contract.name, channel);
        // Keep the hub alive, because the stream would otherwise end with the backend.
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
