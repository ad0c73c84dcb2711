//! Writes settled outcomes from the outboxes of batches to the ledger.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{
    BatchStore, BatchUpkeepStore, Clock, Database, Error, ErrorKind, FencingToken, MAX_AT_ONCE,
    OutboxEntry, Result, SystemClock, Timestamp,
};
use futures_util::future;
use futures_util::stream::{self, Stream, StreamExt};

use super::batch_row::LedgerBatch;
use super::documents::DocumentCopy;
use super::error::ended_early;
use super::figures::MirrorFigures;
use super::mirrored::Mirrored;
use super::{BatchState, Ledger};
use crate::{BatchRecord, BatchRegistry};

/// Entries written in one transaction. Each has the outcomes of one claim, at most a thousand.
pub(super) const PAGE: usize = 256;
/// Documents copied in one transaction, unless they have more bytes than this.
const COPIED: usize = 16 * MAX_AT_ONCE;
const COPIED_BYTES: usize = 8 * 1024 * 1024;
/// Pages of documents that are asked for at once. One after the other, each waited for the requests of the workers.
const READ_AT_ONCE: usize = 4;
/// How often a page is retried because another mirror was faster, before this one leaves the work to it.
const ATTEMPTS: u32 = 5;
/// The number of attempts for a caller that needs every entry to be written.
const PERSISTENT_ATTEMPTS: u32 = 200;

/// Writes the outcomes of a database's batches to a ledger. Cheap to clone.
///
/// Any number of mirrors may run at once and may be killed at any moment. A page of an outbox is written in one
/// transaction, which fails if another mirror has written since the page was read. The page is cleared only after the
/// commit.
#[derive(Clone, Debug)]
pub struct LedgerMirror {
    pub(super) batch: Database,
    pub(super) registry: BatchRegistry,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) locks: Option<Database>,
    pub(super) figures: Arc<MirrorFigures>,
    page: usize,
}

impl LedgerMirror {
    /// A mirror from the batches in `batch` to `ledger`.
    #[must_use]
    pub fn new(batch: Database, ledger: Ledger) -> Self {
        let registry = BatchRegistry::new(batch.clone());
        let (clock, figures) = (Arc::new(SystemClock), Arc::default());
        Self { batch, registry, ledger, clock, locks: None, figures, page: PAGE }
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many entries are written in one transaction, 1 to [`MAX_AT_ONCE`].
    #[must_use]
    pub fn page(mut self, entries: usize) -> Self {
        self.page = entries.clamp(1, MAX_AT_ONCE);
        self
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes all waiting entries of one batch to the ledger.
    ///
    /// # Errors
    /// The store's and the ledger's; unwritten entries stay in the outbox for the next try. [`ErrorKind::Unknown`] if
    /// the batch does not exist.
    pub async fn mirror_once(&self, batch: &str) -> Result<Mirrored> {
        let own = self.own(batch).await?;
        self.mirror_trying(&own, ATTEMPTS).await.map(|(mirrored, _)| mirrored)
    }

    /// The current batch of this name.
    pub(super) async fn own(&self, batch: &str) -> Result<Own> {
        let progress = self.batch.batch().progress(batch).await?;
        let progress = progress.ok_or_else(|| missing(batch))?;
        Ok(self.born_as(batch, progress.born))
    }

    pub(super) fn born_as(&self, batch: &str, token: FencingToken) -> Own {
        Own {
            name: batch.to_owned(),
            batch: self.batch.batch().born_as(token),
            upkeep: self.batch.batch_upkeep().born_as(token),
        }
    }

    /// Writes all waiting entries of a batch, even while other mirrors write them too.
    ///
    /// # Errors
    /// As [`LedgerMirror::mirror_once`]; [`ErrorKind::NotReady`] if other mirrors kept being faster.
    pub(super) async fn mirror_whole(&self, own: &Own) -> Result<Mirrored> {
        let (mirrored, is_whole) = self.mirror_trying(own, PERSISTENT_ATTEMPTS).await?;
        if is_whole {
            return Ok(mirrored);
        }
        let what = format!("other mirrors kept writing batch {:?}: try again", own.name);
        Err(Error::new(ErrorKind::NotReady, "mirror batch", what))
    }

    /// The counts written, and whether they include everything that waited at the start.
    async fn mirror_trying(&self, own: &Own, attempts: u32) -> Result<(Mirrored, bool)> {
        let batch = own.name.as_str();
        let mut mirrored = Mirrored::default();
        let mut row = self.row_of(own).await?;
        let mut overtaken = 0;
        loop {
            let entries = own.upkeep.outbox(batch, self.page).await?;
            // Read after the outbox, so that every document in the outbox has been submitted.
            let progress = own.batch.progress(batch).await?;
            let Some(progress) = progress else { return Err(missing(batch)) };
            self.ledger.note_state(&mut row, &progress, self.clock.now()).await?;
            mirrored.documents += self.copy(own, &mut row, progress.total).await?;
            let is_last = entries.len() < self.page;
            if !entries.is_empty() {
                match self.bring(own, &mut row, entries).await? {
                    Some(brought) => mirrored.add(brought),
                    None if overtaken < attempts => {
                        overtaken += 1;
                        row = self.row_of(own).await?;
                        continue;
                    }
                    None => return Ok((mirrored, false)),
                }
            }
            if is_last {
                return Ok((mirrored, true));
            }
        }
    }

    /// Writes a page and clears it; `None` if another mirror was faster.
    async fn bring(
        &self,
        own: &Own,
        row: &mut LedgerBatch,
        entries: Vec<OutboxEntry>,
    ) -> Result<Option<Mirrored>> {
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let Some(applied) = self.ledger.apply(row, entries, self.clock.now()).await? else {
            return Ok(None);
        };
        row.step += 1;
        let cleared = own.upkeep.clear_outbox(&own.name, &ids).await?;
        Ok(Some(Mirrored {
            documents: 0,
            entries: cleared,
            rows: applied.rows,
            unreadable: applied.unreadable,
        }))
    }

    /// Copies the documents below `total` that the ledger does not have yet. While some are written, the next ones are
    /// read.
    async fn copy(&self, own: &Own, row: &mut LedgerBatch, total: u64) -> Result<u64> {
        let before = row.documents;
        while row.documents < total {
            let from = row.documents;
            let page = |start: u64| {
                let start = u32::try_from(start).unwrap_or(u32::MAX);
                own.upkeep.entries(&own.name, start, MAX_AT_ONCE)
            };
            let starts = (from..total).step_by(MAX_AT_ONCE);
            let pages = stream::iter(starts).map(page).buffered(READ_AT_ONCE);
            // Behind a page that is not full the next one would not follow: the rest is asked for anew.
            let in_order = |goes_on: &mut bool, page: Result<Vec<Bytes>>| {
                let is_full = page.as_ref().is_ok_and(|page| page.len() == MAX_AT_ONCE);
                future::ready(std::mem::replace(goes_on, is_full).then_some(page))
            };
            let mut pages = pages.scan(true, in_order).fuse();
            let mut copy = self.next_copy(&mut pages, row.id, from).await?;
            while let Some(some) = copy {
                let next = some.next;
                let written = self.ledger.copy_documents(row, some);
                let read = self.next_copy(&mut pages, row.id, next);
                let (written, read) = tokio::join!(written, read);
                written?;
                (row.documents, copy) = (next, read?);
            }
            if row.documents == from {
                break;
            }
        }
        Ok(row.documents - before)
    }

    /// The next documents to copy, as many as are written in one transaction: each waits for the disk.
    async fn next_copy(
        &self,
        pages: &mut (impl Stream<Item = Result<Vec<Bytes>>> + Unpin),
        batch: i64,
        from: u64,
    ) -> Result<Option<DocumentCopy>> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < COPIED && bytes < COPIED_BYTES {
            let Some(some) = pages.next().await else { break };
            let some = some?;
            bytes += some.iter().map(Bytes::len).sum::<usize>();
            entries.extend(some);
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let dialect = self.ledger.dialect();
        let made =
            tokio::spawn(async move { DocumentCopy::new(dialect, batch, from, &entries).await });
        made.await.map(Some).map_err(|error| ended_early("copy documents to ledger", &error))
    }

    /// The ledger's row of a batch, created if it is missing.
    async fn row_of(&self, own: &Own) -> Result<LedgerBatch> {
        let batch = own.name.as_str();
        let record = self.registry.get(batch).await?;
        // Read after the record: a batch that still exists is the listed one.
        let plan = own.batch.plan(batch).await?;
        let record = match record {
            Some(record) => record,
            None => match self.ledger.batch(batch).await? {
                Some(row) if row.plan == plan && !row.removed => {
                    return Ok(row);
                }
                // The batch was never listed, so its creation time is unknown.
                _ => BatchRecord::new(batch, "", Timestamp::default()),
            },
        };
        self.ledger.note_batch(&record, &plan).await
    }

    /// Writes the waiting entries of single tasks and of every batch with an outbox. An unreadable batch does not
    /// hold up the others.
    ///
    /// # Errors
    /// The last error, after every batch was tried; immediately if the ledger is unavailable.
    pub async fn mirror_all(&self) -> Result<Mirrored> {
        let mut mirrored = self.mirror_single_tasks().await?;
        let mut failed = None;
        for record in self.registry.list().await? {
            match self.mirror_known(&record).await {
                Ok(brought) => mirrored.add(brought),
                Err(error) if error.kind() == ErrorKind::Unknown => {
                    tracing::debug!(batch = record.name, "a listed batch does not exist");
                }
                Err(error) => {
                    self.figures.failed(&error);
                    if error.retry() != compartment_core::Retry::Never {
                        return Err(error);
                    }
                    tracing::warn!(batch = record.name, %error, "a batch was not mirrored");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(mirrored), Err)
    }

    /// Writes the waiting entries of a batch, unless it is finished and was fully written before.
    async fn mirror_known(&self, record: &BatchRecord) -> Result<Mirrored> {
        if self.figures.is_quiet(record) && self.waiting_of(&record.name).await? == 0 {
            return Ok(Mirrored::default());
        }
        if !self.batch.batch().plan(&record.name).await?.outbox {
            // The batch was created without an outbox.
            self.figures.note_quiet(record, true);
            return Ok(Mirrored::default());
        }
        let mirrored = self.mirror_once(&record.name).await?;
        self.figures.brought(&mirrored);
        if mirrored.is_nothing()
            && let Some(row) = self.ledger.batch(&record.name).await?
        {
            let is_over = matches!(row.state, BatchState::Completed | BatchState::Cancelled);
            self.figures.note_quiet(record, is_over);
        }
        Ok(mirrored)
    }

    /// The number of entries that wait in the outboxes of all batches.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting(&self) -> Result<u64> {
        let mut waiting = 0;
        for record in self.registry.list().await? {
            match self.waiting_of(&record.name).await {
                Ok(entries) => waiting += entries,
                Err(error) if error.kind() == ErrorKind::Unknown => {}
                Err(error) => return Err(error),
            }
        }
        Ok(waiting)
    }

    async fn waiting_of(&self, batch: &str) -> Result<u64> {
        self.batch.batch_upkeep().outbox_len(batch).await
    }
}

/// Handles of one batch, which do not touch a later batch of its name.
pub(super) struct Own {
    pub(super) name: String,
    pub(super) batch: Arc<dyn BatchStore>,
    pub(super) upkeep: Arc<dyn BatchUpkeepStore>,
}

fn missing(batch: &str) -> Error {
    let what = format!("there is no batch {batch:?}");
    Error::new(ErrorKind::Unknown, "mirror batch", what).at_key(batch)
}
