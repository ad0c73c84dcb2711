//! Reads the keys of a file in batches, with a bound on the bytes in memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::backend::glob_matches;
use compartment_redis::Connection;
use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::contents::{open, wrong};
use crate::error::{AdminError, Result};
use crate::rdb::{Item, Key};

/// Bytes of values per round trip.
const TOGETHER: usize = 4 * MIB;
const MIB: usize = 1024 * 1024;
/// Bound of all values between file and server; a larger value goes alone.
const ROOM_MIB: u32 = 24;
const MAX_KEYS: usize = 1_000;

/// Selects keys of a file.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) index: u64,
    pub(super) pattern: Option<Vec<u8>>,
    /// Whether hashes with expiring fields are left out.
    pub(super) without_field_lives: bool,
    /// Whether hashes of which every field has expired count as expired.
    pub(super) drops_field_lives: bool,
}

/// The keys of a file that are to be restored.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) file: PathBuf,
    pub(super) chosen: Chosen,
    /// The server's time: keys that have expired by then are not restored.
    pub(super) now_ms: u64,
}

/// Keys for one round trip.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) keys: Vec<Key>,
    /// Number of expired keys among them.
    pub(super) expired: u64,
    bytes: usize,
    /// Memory permit, held until these keys are done.
    _room: Option<OwnedSemaphorePermit>,
}

impl Batch {
    /// Splits off the keys after the first `max`.
    pub(super) fn split_off(&mut self, max: usize) -> Option<Self> {
        if self.keys.len() <= max {
            return None;
        }
        let keys = self.keys.split_off(max.max(1));
        // The last part holds the memory permit.
        Some(Self { keys, expired: 0, bytes: 0, _room: self._room.take() })
    }
}

impl Keys {
    /// The keys in batches, read on a thread while memory permits are available.
    pub(super) fn batches(&self) -> impl Stream<Item = Result<Batch>> + use<> {
        let (sender, receiver) = mpsc::channel(8);
        let reading = Reading {
            keys: self.clone(),
            sender,
            room: Arc::new(Semaphore::new(ROOM_MIB as usize)),
            runtime: Handle::current(),
        };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = reading.read() {
                // The receiver is gone, so nobody needs the error.
                let _ = reading.sender.blocking_send(Err(error));
            }
        });
        futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|batch| (batch, receiver))
        })
    }
}

struct Reading {
    keys: Keys,
    sender: mpsc::Sender<Result<Batch>>,
    room: Arc<Semaphore>,
    runtime: Handle,
}

impl Reading {
    fn read(&self) -> Result<()> {
        let path = &self.keys.file;
        let mut reader = open(path)?;
        let mut batch = Batch::default();
        while let Some(item) = reader.next_item().map_err(|error| wrong(path, error))? {
            let Item::Key(key) = item else { continue };
            if !self.is_chosen(&key)
                || self.keys.chosen.without_field_lives
                    && key.as_payload(reader.version()).expires_by_field()
            {
                continue;
            }
            if key.expires_at_ms.is_some_and(|at| at <= self.keys.now_ms)
                || self.keys.chosen.drops_field_lives && self.is_over(&key, reader.version())
            {
                batch.expired += 1;
                continue;
            }
            let bytes = key.payload.len() + key.name.len();
            if batch.keys.len() >= MAX_KEYS || batch.bytes + bytes > TOGETHER {
                self.send(std::mem::take(&mut batch))?;
            }
            batch.bytes += bytes;
            batch.keys.push(key);
        }
        self.send(batch)
    }

    /// Whether every field of a hash has expired.
    fn is_over(&self, key: &Key, version: u16) -> bool {
        let payload = key.as_payload(version);
        payload.expires_by_field()
            && payload.value().is_ok_and(|value| value.is_over(self.keys.now_ms))
    }

    fn is_chosen(&self, key: &Key) -> bool {
        let chosen = &self.keys.chosen;
        let fits = |pattern: &Vec<u8>| glob_matches(pattern, &key.name);
        key.database == chosen.index && chosen.pattern.as_ref().is_none_or(fits)
    }

    fn send(&self, mut batch: Batch) -> Result<()> {
        if batch.keys.is_empty() && batch.expired == 0 {
            return Ok(());
        }
        let wanted = u32::try_from(batch.bytes.div_ceil(MIB)).unwrap_or(ROOM_MIB).min(ROOM_MIB);
        let room = Arc::clone(&self.room).acquire_many_owned(wanted);
        batch._room = self.runtime.block_on(room).ok();
        let sent = self.sender.blocking_send(Ok(batch));
        sent.map_err(|_| AdminError::Invalid("the restore was cancelled".into()))
    }
}

/// The server's time, or this machine's if it is not reported, in milliseconds since 1970.
pub(crate) async fn now(connection: &mut Connection) -> u64 {
    match connection.ask::<(u64, u64)>("ask the time", &redis::cmd("TIME")).await {
        Ok((seconds, micros)) => seconds * 1_000 + micros / 1_000,
        // A cluster answers once for each node.
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_millis() as u64
        }
    }
}
