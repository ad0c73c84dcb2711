//! Counters of a mirror: rows written and entries waiting, counted here and published in the `metrics` database.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{Database, Error, KeyTemplate};
use serde::Serialize;

use super::mirrored::Mirrored;
use crate::BatchRecord;

/// A hash with the sums of all processes (`rows`, `entries`, `documents`, `unreadable`, `failures`) and the last
/// number of waiting entries (`waiting`).
pub(crate) const TOTALS: KeyTemplate<()> =
    KeyTemplate::new("ledger_totals", "compartment:ledger:totals:{database}", "metrics");
/// How long the counters are kept after the last change.
pub(super) const TTL: Duration = Duration::from_secs(30 * 86_400);
/// Fields of [`TOTALS`].
pub(super) const NAMES: [&str; 5] = ["documents", "entries", "rows", "unreadable", "failures"];

/// Counters of one mirror since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MirrorStatus {
    /// The rows it wrote.
    pub mirrored: Mirrored,
    /// The number of failures.
    pub failures: u64,
    /// The last failure, unless a later write succeeded.
    pub last_failure: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct MirrorFigures {
    status: Mutex<MirrorStatus>,
    /// The counts already added to the sums.
    pub(super) said: [AtomicU64; NAMES.len()],
    /// Finished batches whose outboxes were fully written.
    quiet: Mutex<BTreeSet<(String, u64)>>,
    pub(super) metrics: std::sync::OnceLock<Database>,
}

impl MirrorFigures {
    pub(super) fn status(&self) -> MirrorStatus {
        lock(&self.status).clone()
    }

    pub(super) fn brought(&self, mirrored: &Mirrored) {
        let mut status = lock(&self.status);
        status.mirrored.add(*mirrored);
        status.last_failure = None;
    }

    pub(super) fn failed(&self, error: &Error) {
        let mut status = lock(&self.status);
        status.failures += 1;
        status.last_failure = Some(error.to_string());
    }

    pub(super) fn is_quiet(&self, record: &BatchRecord) -> bool {
        lock(&self.quiet).contains(&key(record))
    }

    pub(super) fn note_quiet(&self, record: &BatchRecord, is_over: bool) {
        let mut quiet = lock(&self.quiet);
        if is_over {
            quiet.insert(key(record));
        } else {
            quiet.remove(&key(record));
        }
    }
}

fn key(record: &BatchRecord) -> (String, u64) {
    (record.name.clone(), record.created_at.as_micros())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
