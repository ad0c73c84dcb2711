//! Publishes a mirror's counters.

use std::sync::atomic::Ordering;

use compartment_core::{Database, Expiry, Result};

use super::figures::{MirrorStatus, NAMES, TOTALS, TTL};
use super::mirror::LedgerMirror;

impl LedgerMirror {
    /// Adds the mirror's counters to those of all processes, in this database (`metrics`).
    #[must_use]
    pub fn metrics(self, metrics: Database) -> Self {
        // A database that was set before is kept.
        let _ = self.figures.metrics.set(metrics);
        self
    }

    /// The counters since the start.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        self.figures.status()
    }

    /// Publishes the changes since the last call. Counters may miss a little, and never hold up the mirror.
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
