//! The registered workers: each writes its state to one hash of the batch database.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Database, Error, ErrorKind, Expiry, Result, Timestamp};
use serde::{Deserialize, Serialize};

/// The hash of all workers, by id.
const KEY: &str = "compartment:workers";

/// How often a worker writes its state.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// A document or a single task in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Running {
    /// The batch, or the queue of a single task.
    pub source: String,
    /// The document's ordinal, or the task's id.
    pub number: u64,
    /// The name of the document.
    pub name: String,
    /// The stage.
    pub stage: String,
    /// When the work began.
    pub since: Timestamp,
}

impl Running {
    pub(super) fn new(
        (source, number): (&str, u64),
        name: &str,
        stage: &str,
        since: Timestamp,
    ) -> Self {
        let (source, name, stage) = (source.to_owned(), name.to_owned(), stage.to_owned());
        Self { source, number, name, stage, since }
    }
}

/// The state of a worker when it last wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerState {
    /// The worker's id.
    pub id: String,
    /// The worker's process id.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last wrote its state.
    pub seen_at: Timestamp,
    /// The pipelines and stages it serves, each as `pipeline/stage version`.
    pub serves: Vec<String>,
    /// Documents it processes at the same time.
    pub concurrency: usize,
    /// The work in progress.
    pub running: Vec<Running>,
    /// Stages of documents it finished.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Its memory in bytes, on systems that report it.
    pub memory: Option<u64>,
    /// Whether it has stopped claiming.
    pub is_ending: bool,
}

impl WorkerState {
    /// Whether it counts as gone, because it has missed three heartbeats.
    #[must_use]
    pub fn is_gone(&self, now: Timestamp) -> bool {
        now.since(self.seen_at) > HEARTBEAT * 3
    }
}

/// Every registered worker, by id. An unreadable state, perhaps written by newer code, is left out.
///
/// # Errors
/// The store's.
pub async fn workers(batch: &Database) -> Result<Vec<WorkerState>> {
    let fields = batch.hash().get_all(KEY).await?;
    let read = |(id, bytes): (String, Bytes)| match serde_json::from_slice(&bytes) {
        Ok(state) => Some(state),
        Err(error) => {
            tracing::warn!(worker = id, %error, "the state of a worker cannot be read");
            None
        }
    };
    Ok(fields.into_iter().filter_map(read).collect())
}

/// Writes the state of a worker.
pub(super) async fn write(batch: &Database, state: &WorkerState) -> Result<()> {
    let bytes = serde_json::to_vec(state)
        .map_err(|error| Error::new(ErrorKind::Encode, "write worker", error.to_string()))?;
    let fields = vec![(state.id.clone(), Bytes::from(bytes))];
    batch.hash().set_fields(KEY, fields, Expiry::Never).await.map(drop)
}

/// Removes workers; returns how many there were.
pub(super) async fn remove(batch: &Database, ids: &[String]) -> Result<u64> {
    if ids.is_empty() { Ok(0) } else { batch.hash().delete_fields(KEY, ids).await }
}
