//! The subscribers of each channel, for all databases of a backend.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast;

/// A subscriber that is this many messages behind loses the oldest and gets a `Lost` event.
const MAX_WAITING: usize = 1_024;

/// The subscribers by database and channel. As on a server, the database's name is part of the channel's name, but
/// its placement is not.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    channels: Mutex<HashMap<(String, String), broadcast::Sender<Bytes>>>,
}

impl Hub {
    pub(crate) fn publish(&self, database: &str, channel: &str, message: Bytes) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (database.to_owned(), channel.to_owned());
        // If the last subscriber has gone, the channel is removed.
        if channels.get(&name).is_some_and(|sender| sender.send(message).is_err()) {
            channels.remove(&name);
        }
    }

    pub(crate) fn subscribe(&self, database: &str, channel: &str) -> broadcast::Receiver<Bytes> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels
            .entry((database.to_owned(), channel.to_owned()))
            .or_insert_with(|| broadcast::Sender::new(MAX_WAITING))
            .subscribe()
    }
}
