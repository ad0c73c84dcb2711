//! The size limit of a document's entries: a hash of their sizes, shared by all processes.
//!
//! A size is recorded before its entry is stored and removed if the sum is too large. So values loaded at the same
//! time may all be refused, but cannot exceed the limit together. The hash belongs to the document's stamp: an
//! invalidation begins a new one.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Expiry, Ttl};
use futures_util::future::join_all;

use crate::inner::Inner;
use crate::second::envelope::StampSeen;
use crate::stamps::is_document;

/// The prefix of the keys of these hashes.
const PREFIX: &str = "compartment:sizes:";

/// An entry that asks for room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) key: &'a str,
    pub(crate) bytes: usize,
    /// Whether readers with the same policy decode it.
    pub(crate) is_decodable: bool,
    /// The TTL of the entry.
    pub(crate) ttl: Duration,
}

impl Inner {
    /// Whether the documents among `stamps` have room for an entry; its size is then recorded. If the database does
    /// not answer, the entry is not refused: it cannot be stored there either.
    pub(crate) async fn has_room(
        &self,
        stamps: &[StampSeen],
        asking: Asking<'_>,
        limit: Option<u64>,
    ) -> bool {
        let Some(limit) = limit else { return true };
        for document in stamps.iter().filter(|stamp| is_document(&stamp.name)) {
            let name = format!("{PREFIX}{}:{:x}", document.name, document.token);
            if !self.note_size(&name, asking, limit).await.unwrap_or(true) {
                return false;
            }
        }
        true
    }

    async fn note_size(
        &self,
        name: &str,
        asking: Asking<'_>,
        limit: u64,
    ) -> compartment_core::Result<bool> {
        let store = self.database.hash();
        let expiry = Expiry::After(asking.ttl.max(Duration::from_millis(1)));
        let field = vec![(asking.key.to_owned(), Bytes::from(asking.bytes.to_string()))];
        self.call(store.set_fields(name, field, expiry)).await?;
        let sizes = self.call(store.get_all(name)).await?;
        let size = |bytes: &Bytes| -> u64 {
            std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let mut total: u64 = sizes.values().map(size).sum();
        if total > limit {
            // The sum may include entries that expired or were removed by key.
            let others: Vec<&String> = sizes.keys().filter(|key| **key != asking.key).collect();
            let gone = self.gone(&others).await;
            total -= gone.iter().filter_map(|key| sizes.get(*key)).map(size).sum::<u64>();
            let mut forgotten: Vec<String> = gone.into_iter().cloned().collect();
            if total > limit {
                forgotten.push(asking.key.to_owned());
            }
            if !forgotten.is_empty() {
                self.call(store.delete_fields(name, &forgotten)).await?;
            }
        }
        Ok(total <= limit)
    }

    /// The keys among these that no longer exist.
    async fn gone<'a>(&self, keys: &[&'a String]) -> Vec<&'a String> {
        let store = self.database.key_value();
        let each = join_all(keys.iter().map(|key| async move {
            let ttl = self.call(store.ttl(key)).await;
            matches!(ttl, Ok(Ttl::Missing)).then_some(*key)
        }));
        each.await.into_iter().flatten().collect()
    }
}
