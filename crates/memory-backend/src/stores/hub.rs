//! The subscribers of each channel, for all databases of a backend.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast;

/// A subscriber that is this many messages behind loses the oldest, and is told so.
const MAX_WAITING: usize = 1_024;

/// Who listens to which channel of which database. As on a server, the database's name is part
/// of a channel's, and its place is not.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    channels: Mutex<HashMap<(String, String), broadcast::Sender<Bytes>>>,
}

impl Hub {
    pub(crate) fn publish(&self, database: &str, channel: &str, message: Bytes) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (database.to_owned(), channel.to_owned());
        // The last subscriber may have gone: a channel that nobody hears is forgotten.
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
