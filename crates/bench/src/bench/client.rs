//! The operations of all contenders, and their data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::measure::Failure;

/// A store of values. A method may return only after the store has answered.
pub(super) trait Client: Clone + Send + Sync + 'static {
    /// Whether it answers without waiting, so that its tasks have to yield to each other.
    const IN_PROCESS: bool = false;

    /// Reads the bytes of an existing key.
    fn get(&self, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Overwrites 100 bytes.
    fn set(&self, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Reads a document of 1 KB, decoded from JSON.
    fn get_document(&self, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Adds one to a counter.
    fn increment(&self, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Reads many existing keys.
    fn get_many(&self, keys: &[String]) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Sets one field of a hash; not called for a contender without hashes.
    fn set_field(&self, key: &str) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    GetDocument,
    Increment,
    GetMany,
    SetField,
}

impl Operation {
    pub(super) const ALL: [Self; 6] =
        [Self::Get, Self::Set, Self::GetDocument, Self::Increment, Self::GetMany, Self::SetField];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET 100 B",
            Self::Set => "SET 100 B",
            Self::GetDocument => "GET 1 KB JSON",
            Self::Increment => "INCR",
            Self::GetMany => "MGET 100",
            Self::SetField => "HSET",
        }
    }

    /// Performs it once, on the `turn`-th key.
    pub(super) async fn perform<C: Client>(
        self,
        client: &C,
        data: &Data,
        turn: usize,
    ) -> Result<(), Failure> {
        let at = turn % KEYS;
        match self {
            Self::Get => client.get(&data.values[at]).await,
            Self::Set => client.set(&data.values[at]).await,
            Self::GetDocument => client.get_document(&data.documents[at]).await,
            Self::Increment => client.increment(&data.counters[at]).await,
            Self::GetMany => {
                let from = at - at % MANY;
                client.get_many(&data.values[from..from + MANY]).await
            }
            Self::SetField => client.set_field(&data.hashes[at]).await,
        }
    }
}

/// Keys of each kind.
pub(super) const KEYS: usize = 10_000;
/// Keys per `get_many`.
pub(super) const MANY: usize = 100;
/// A plain value.
pub(super) const VALUE: &[u8; 100] = &[b'v'; 100];

/// The keys that the operations use in turn.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) values: Vec<String>,
    pub(super) documents: Vec<String>,
    counters: Vec<String>,
    hashes: Vec<String>,
    /// The value of the keys in `documents`.
    pub(super) document: Vec<u8>,
}

impl Data {
    pub(super) fn new() -> Result<Arc<Self>, Failure> {
        let keys = |kind: &str| (0..KEYS).map(|n| format!("bench:{kind}:{n:08}")).collect();
        Ok(Arc::new(Self {
            values: keys("value"),
            documents: keys("document"),
            counters: keys("counter"),
            hashes: keys("hash"),
            document: serde_json::to_vec(&Document::sample())?,
        }))
    }
}

/// A typical record of a pipeline: about 1 KB of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    uuid: String,
    title: String,
    court: String,
    pages: u32,
    score: f64,
    parties: Vec<String>,
    text: String,
}

impl Document {
    pub(crate) fn sample() -> Self {
        Self {
            uuid: "7f3a0c9e-5d8e-4c55-9d4f-6a4c2f4f9b11".to_owned(),
            title: "Order granting in part the motion for summary judgment".to_owned(),
            court: "United States District Court for the Northern District".to_owned(),
            pages: 27,
            score: 0.9375,
            parties: ["Alder Holdings", "Birch & Sons", "The County"].map(str::to_owned).to_vec(),
            text: "The motion came on for hearing. ".repeat(22),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_about_a_kilobyte() {
        let data = Data::new().unwrap();
        assert!((950..1_100).contains(&data.document.len()), "{}", data.document.len());
    }
}
