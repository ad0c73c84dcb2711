//! What a mirror has brought, and what waits: counted here, shown in the `metrics` database.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{Database, Error, Expiry, KeyTemplate, Result};
use serde::Serialize;

use super::{LedgerMirror, Mirrored};
use crate::BatchRecord;

/// Sums of all processes: fields `rows`, `entries`, `documents`, `unreadable`, `failures`; and as last said
/// `waiting`.
pub(crate) const TOTALS: KeyTemplate<()> =
    KeyTemplate::new("ledger_totals", "ledger:totals:{database}", "metrics");
/// What nobody adds to goes after so long.
const TTL: Duration = Duration::from_secs(30 * 86_400);
/// Fields of [`TOTALS`].
const NAMES: [&str; 5] = ["documents", "entries", "rows", "unreadable", "failures"];

/// What one mirror did since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MirrorStatus {
    /// What it brought.
    pub mirrored: Mirrored,
    /// How often it failed.
    pub failures: u64,
    /// The last failure, in words, unless something was brought since.
    pub last_failure: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct MirrorFigures {
    status: Mutex<MirrorStatus>,
    /// What was added to the sums already.
    said: [AtomicU64; NAMES.len()],
    /// Batches that are over, and of which everything was brought.
    quiet: Mutex<BTreeSet<(String, u64)>>,
    metrics: std::sync::OnceLock<Database>,
}

impl MirrorFigures {
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

impl LedgerMirror {
    /// Adding its figures to those of all processes, in this database (`metrics`).
    #[must_use]
    pub fn with_metrics(self, metrics: Database) -> Self {
        // One that was given before stays.
        let _ = self.figures.metrics.set(metrics);
        self
    }

    /// What it has done since it began.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        lock(&self.figures.status).clone()
    }

    /// Adds what has come since. Figures may miss a little, and never keep a mirror from its work.
    pub(super) async fn publish(&self) {
        if let Err(error) = self.add_figures().await {
            tracing::debug!(%error, "the ledger's figures could not be added to the metrics");
        }
    }

    async fn add_figures(&self) -> Result<()> {
        let Some(metrics) = self.figures.metrics.get() else { return Ok(()) };
        let status = self.status();
        let brought = status.mirrored;
        let now =
            [brought.documents, brought.entries, brought.rows, brought.unreadable, status.failures];
        let key = TOTALS.key(&[self.batch.name()])?;
        for ((name, value), said) in NAMES.iter().zip(now).zip(&self.figures.said) {
            let grown = value.saturating_sub(said.swap(value, Ordering::Relaxed));
            if grown > 0 {
                let by = i64::try_from(grown).unwrap_or(i64::MAX);
                metrics.hash().increment_field(key.as_str(), name, by, Expiry::After(TTL)).await?;
            }
        }
        let waiting = self.waiting().await?.to_string();
        let fields = vec![("waiting".to_owned(), waiting.into())];
        metrics.hash().set_fields(key.as_str(), fields, Expiry::After(TTL)).await.map(drop)
    }
}
