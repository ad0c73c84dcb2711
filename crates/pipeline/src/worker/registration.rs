//! The registered workers: each writes its state to one hash of the batch database.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::{is_name, shown_name};
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
        let (source, name, stage) = (shown_name(source), shown_name(name), shown_name(stage));
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

/// Bytes of a state that are read: a worker with a thousand slots and long names writes less.
const MAX_STATE: usize = 2 * 1024 * 1024;
/// The most entries of a list in a state.
const MAX_LISTED: usize = 4_096;

/// Every registered worker, by id. An unreadable state, perhaps written by newer code, is left out. Anybody with access
/// to the database may have written a state: its names have at most 255 bytes and no control characters.
///
/// # Errors
/// The store's.
pub async fn workers(batch: &Database) -> Result<Vec<WorkerState>> {
    let fields = batch.hash().get_all(KEY).await?;
    let read = |(id, bytes): (String, Bytes)| match read(&id, &bytes) {
        Ok(state) => Some(state),
        Err(why) => {
            tracing::warn!(worker = shown_name(&id), why, "the state of a worker cannot be read");
            None
        }
    };
    Ok(fields.into_iter().filter_map(read).collect())
}

fn read(id: &str, bytes: &[u8]) -> std::result::Result<WorkerState, String> {
    if bytes.len() > MAX_STATE {
        return Err("it is too long".to_owned());
    }
    let mut state: WorkerState =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if state.id != id || !is_name(id) {
        return Err("its id is not a name, or that of another worker".to_owned());
    }
    state.serves.truncate(MAX_LISTED);
    state.running.truncate(MAX_LISTED);
    let running = state.running.iter_mut();
    let names = running.flat_map(|one| [&mut one.source, &mut one.name, &mut one.stage]);
    for name in names.chain(&mut state.serves) {
        *name = shown_name(name);
    }
    Ok(state)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn state(id: &str) -> WorkerState {
        let at = Timestamp::from_millis(0);
        WorkerState {
            id: id.to_owned(),
            pid: 1,
            started_at: at,
            seen_at: at,
            serves: Vec::new(),
            concurrency: 1,
            running: Vec::new(),
            done: 0,
            failed: 0,
            memory: None,
            is_ending: false,
        }
    }

    fn read_as(id: &str, state: &WorkerState) -> std::result::Result<WorkerState, String> {
        read(id, &serde_json::to_vec(state).unwrap())
    }

    #[test]
    fn the_state_of_a_worker_is_checked() {
        assert_eq!(read_as("a", &state("a")), Ok(state("a")));
        let long = "n".repeat(256);
        for id in ["", "a\nb", "\u{9b}31m", &long] {
            assert!(read_as(id, &state(id)).is_err(), "{id:?}");
        }
        assert!(read_as("b", &state("a")).is_err());
        let mut odd = state("a");
        odd.serves = vec!["legal/extract \u{1b}[2J".to_owned(); MAX_LISTED + 1];
        odd.running = vec![Running {
            source: "s\n".repeat(200),
            number: 1,
            name: "n\u{7f}".to_owned(),
            stage: "x".to_owned(),
            since: Timestamp::from_millis(0),
        }];
        let read = read_as("a", &odd).unwrap();
        assert_eq!(read.serves.len(), MAX_LISTED);
        let one = &read.running[0];
        for name in [&read.serves[0], &one.source, &one.name, &one.stage] {
            assert!(is_name(name), "{name:?}");
        }
    }
}
