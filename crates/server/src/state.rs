//! What the handlers share.

use std::sync::Arc;

use bytes::Bytes;
use compartment_operations::changes::Changes;
use compartment_operations::{Look, Operations, Watcher};
use tokio::sync::{Semaphore, watch};

use crate::ServerOptions;

/// A look, and its JSON, which is made once for all readers.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) look: Arc<Look>,
    pub(crate) json: Bytes,
    /// The JSON as an event of a stream.
    pub(crate) event: Bytes,
}

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) operations: Operations,
    pub(crate) options: ServerOptions,
    pub(crate) changes: Changes,
    pub(crate) watcher: Watcher,
    /// The newest look; `None` before the first.
    pub(crate) newest: watch::Receiver<Option<Rendered>>,
    /// One examination at a time: it samples keys of every database.
    pub(crate) examining: Semaphore,
    /// Streams of events that may still be opened.
    pub(crate) streams: Arc<Semaphore>,
}

impl Shared {
    /// The newest look; `None` before the first.
    pub(crate) fn newest(&self) -> Option<Rendered> {
        self.newest.borrow().clone()
    }
}

/// Renders each look once.
pub(crate) fn render(look: Arc<Look>) -> Option<Rendered> {
    let json: Bytes = serde_json::to_vec(&*look).ok()?.into();
    let head = format!("event: look\nid: {}\ndata: ", look.number);
    let event = [head.as_bytes(), &json, b"\n\n"].concat().into();
    Some(Rendered { look, json, event })
}
