//! Rebuilds batches from the ledger after their database was lost.

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, MAX_AT_ONCE, RestoredFact, Result};
use serde::Serialize;

use super::batch_row::LedgerBatch;
use super::mirror::Own;
use super::{BatchState, LedgerMirror};

/// The progress of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// Documents submitted so far.
    pub documents: u64,
    /// Documents to submit.
    pub total: u64,
    /// Facts restored so far.
    pub facts: u64,
}

/// A rebuilt batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The batch.
    pub batch: String,
    /// Documents submitted.
    pub documents: u64,
    /// Outcomes restored: pairs of document and stage that are done or dead.
    pub facts: u64,
    /// Documents submitted that were never copied to the ledger: they must be submitted again.
    pub missing: u64,
}

/// The outcome for one batch when all are rebuilt.
#[derive(Debug)]
#[non_exhaustive]
pub enum RebuildOutcome {
    /// It was rebuilt.
    Rebuilt(Rebuilt),
    /// It exists already and was left unchanged.
    IsThere,
    /// It was removed on purpose.
    WasRemoved,
    /// It could not be rebuilt.
    Failed(Error),
}

impl LedgerMirror {
    /// Rebuilds a batch from the ledger: its plan, its documents in order, the stages that are done or dead, and last
    /// its entry in the list of batches, so that no worker starts earlier. Work that had not reached the ledger is
    /// repeated. An interrupted rebuild starts over.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] if the batch exists; [`ErrorKind::Unknown`] if the ledger does not have it; the
    /// store's and the ledger's.
    pub async fn rebuild(
        &self,
        batch: &str,
        mut progress: impl FnMut(RebuildProgress) + Send,
    ) -> Result<Rebuilt> {
        let row = self.ledger.known("rebuild batch", batch).await?;
        if row.is_run() {
            let what = format!(
                "{batch:?} was a run in one process, which no database keeps: start the run again"
            );
            return Err(Error::new(ErrorKind::Unknown, "rebuild batch", what));
        }
        self.make_way(&row).await?;
        self.ledger.note_rebuilding(&row, true).await?;
        if !self.batch.batch().create(batch, &row.plan).await? {
            return Err(self.is_there(batch));
        }
        let own = self.own(batch).await?;
        let store = &own.batch;
        let mut so_far = RebuildProgress { documents: 0, total: row.documents, facts: 0 };
        loop {
            let entries = self.ledger.documents(&row, so_far.documents, MAX_AT_ONCE).await?;
            let found = entries.len() as u64;
            if found == 0 {
                break;
            }
            self.submit(&own, so_far.documents, entries).await?;
            so_far.documents += found;
            progress(so_far);
        }
        // The last stages first, so that no document is queued for a stage that it has completed.
        for index in (0..row.plan.stages.len()).rev() {
            self.restore_stage(&own, &row, index, &mut so_far, &mut progress).await?;
        }
        match row.state {
            BatchState::Open => {}
            BatchState::Cancelled => drop(store.cancel(batch).await?),
            BatchState::Sealed | BatchState::Completed => drop(store.seal(batch).await?),
        }
        if row.paused {
            store.pause(batch, true).await?;
        }
        self.registry.add(&row.record).await?;
        self.ledger.note_rebuilding(&row, false).await?;
        let missing = row.total.saturating_sub(so_far.documents);
        Ok(Rebuilt {
            batch: batch.to_owned(),
            documents: so_far.documents,
            facts: so_far.facts,
            missing,
        })
    }

    /// Rebuilds every batch that is in the ledger but not in the database, except those that were removed on purpose.
    /// A failure does not hold up the others.
    ///
    /// # Errors
    /// The ledger's, if the batches cannot be listed.
    pub async fn rebuild_all(
        &self,
        mut progress: impl FnMut(&str, RebuildProgress) + Send,
    ) -> Result<Vec<(String, RebuildOutcome)>> {
        let mut outcomes = Vec::new();
        for row in self.ledger.batches().await?.into_iter().filter(|row| !row.is_run()) {
            let name = row.record.name;
            let outcome = if row.removed {
                RebuildOutcome::WasRemoved
            } else {
                match self.rebuild(&name, |so_far| progress(&name, so_far)).await {
                    Ok(rebuilt) => RebuildOutcome::Rebuilt(rebuilt),
                    Err(error) if error.kind() == ErrorKind::Contract => RebuildOutcome::IsThere,
                    Err(error) => RebuildOutcome::Failed(error),
                }
            };
            outcomes.push((name, outcome));
        }
        Ok(outcomes)
    }

    /// Fails if the batch exists, and removes the remains of an interrupted rebuild.
    async fn make_way(&self, row: &LedgerBatch) -> Result<()> {
        let name = row.record.name.as_str();
        let is_listed = self.registry.get(name).await?.is_some();
        let Some(progress) = self.batch.batch().progress(name).await? else { return Ok(()) };
        if row.rebuilding && !is_listed {
            self.batch.batch().born_as(progress.born).remove(name).await?;
            return Ok(());
        }
        if row.rebuilding {
            // The interrupted rebuild had only its last step left.
            self.ledger.note_rebuilding(row, false).await?;
        }
        Err(self.is_there(name))
    }

    fn is_there(&self, name: &str) -> Error {
        let what =
            format!("batch {name:?} exists and was left unchanged: audit it, or remove it first");
        Error::new(ErrorKind::Contract, "rebuild batch", what).in_database(self.batch.name())
    }

    async fn submit(&self, own: &Own, first: u64, entries: Vec<Bytes>) -> Result<()> {
        let (batch, at) = (own.name.as_str(), u32::try_from(first).unwrap_or(u32::MAX));
        if own.batch.submit_at(batch, at, entries).await? {
            return Ok(());
        }
        let what = format!(
            "document {first} of batch {batch:?} would get another number: another process submits to \
             it; stop that process, remove the batch, and start again"
        );
        Err(Error::new(ErrorKind::Contract, "rebuild batch", what).in_database(self.batch.name()))
    }

    async fn restore_stage(
        &self,
        own: &Own,
        row: &LedgerBatch,
        index: usize,
        so_far: &mut RebuildProgress,
        progress: &mut (impl FnMut(RebuildProgress) + Send),
    ) -> Result<()> {
        let (name, stage) = (row.record.name.as_str(), &row.plan.stages[index].name);
        let mut from = 0;
        loop {
            let page = self.ledger.ended(row, stage, from, MAX_AT_ONCE as u64).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = u64::from(*last) + 1;
            let known = page.into_iter().filter(|(ordinal, _)| {
                // A row may belong to a document that was never copied; that document counts as missing.
                u64::from(*ordinal) < so_far.documents
            });
            let facts = known.map(|(ordinal, error)| {
                let fact = error.map_or(RestoredFact::Done, |error| RestoredFact::Dead { error });
                (ordinal, fact)
            });
            let facts: Vec<_> = facts.collect();
            so_far.facts += own.upkeep.restore(name, index, facts).await?;
            progress(*so_far);
        }
    }
}
