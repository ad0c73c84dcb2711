//! Submits a batch, in pages as its entries come.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::backend::BatchRefusal;
use compartment_core::{
    BatchStatus, BatchStore, BatchUpkeepStore, Database, Error, ErrorKind, MAX_AT_ONCE, MAX_ENTRY,
    Result, TaskClass,
};

use crate::{BatchRecord, BatchRegistry, Patience, Pipeline};

/// How a batch is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchOptions {
    /// How soon it is wanted.
    pub class: TaskClass,
    /// Whether what counts is kept in an outbox for a ledger.
    pub outbox: bool,
    /// The most bytes of events that are kept for others to follow.
    pub event_bytes: u64,
    /// The most bytes of entries.
    pub max_bytes: Option<u64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            class: TaskClass::default(),
            outbox: false,
            event_bytes: 1024 * 1024,
            max_bytes: None,
        }
    }
}

impl BatchOptions {
    /// Of another class.
    #[must_use]
    pub fn class(mut self, class: TaskClass) -> Self {
        self.class = class;
        self
    }

    /// Sets whether the batch has an outbox for a ledger.
    #[must_use]
    pub fn outbox(mut self, outbox: bool) -> Self {
        self.outbox = outbox;
        self
    }

    /// Sets how many bytes of events are kept.
    #[must_use]
    pub fn event_bytes(mut self, bytes: u64) -> Self {
        self.event_bytes = bytes;
        self
    }

    /// Sets the maximum total size of entries, in bytes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// A batch that documents are being added to. Holds one page of them, and more only while pages cannot be
/// sent.
///
/// # Cancellation
/// A document is taken as soon as [`Submission::push`] is first polled. It stays with the submission until
/// the batch has it, so any of its futures may be dropped, or end with an error, and the next one goes on:
/// each document is in the batch once in the end, also if what was dropped is executed after all. Only a
/// submission that is dropped itself takes with it what [`Submission::pending`] counts, and says so in the
/// log; the batch stays open, and a [`Submission::begin`] of its name goes on with it.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{Database, Result};
/// use compartment_pipeline::{BatchOptions, Patience, Pipeline, Submission};
///
/// async fn submit(batch: &Database, pipeline: &Pipeline) -> Result<u64> {
///     let patience = Patience::waiting(Duration::from_secs(60));
///     let options = BatchOptions::default();
///     let mut papers = Submission::begin(batch, "papers", pipeline, &options, patience).await?;
///     for path in ["/in/a.pdf", "/in/b.pdf"] {
///         papers.push(path).await?;
///     }
///     papers.seal().await
/// }
/// ```
#[derive(Debug)]
#[must_use = "documents that were not flushed are lost with it"]
pub struct Submission {
    record: BatchRecord,
    registry: BatchRegistry,
    batch: Database,
    /// The batch that it began with, and no other that may be made under its name.
    store: Arc<dyn BatchStore>,
    upkeep: Arc<dyn BatchUpkeepStore>,
    patience: Patience,
    /// What the batch does not have yet, as far as is known.
    page: Vec<Bytes>,
    /// Documents that the batch has: the first of the page becomes this number.
    submitted: u64,
}

impl Submission {
    /// Begins a batch of a pipeline, or continues an open one of that name and pipeline: new documents
    /// follow the existing ones. Use one submission of a batch at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] if the batch of that name accepts no more documents or belongs to
    /// another pipeline; the store's.
    pub async fn begin(
        batch: &Database,
        name: &str,
        pipeline: &Pipeline,
        options: &BatchOptions,
        patience: Patience,
    ) -> Result<Self> {
        BatchRefusal::unless_a_name(batch.contract(), "submit batch", name)?;
        let mut record = BatchRecord::new(name, pipeline.name(), patience.clock().now());
        record.versions = pipeline.versions();
        record.class = options.class;
        let registry = BatchRegistry::new(batch.clone());
        let refused = |what: String| {
            Err(Error::new(ErrorKind::Contract, "submit batch", what).in_database(batch.name()))
        };
        let is_listed = !patience.outlast(|| registry.add(&record)).await?;
        if is_listed {
            let known = registry.get(name).await?.map(|known| known.pipeline);
            if known.as_deref() != Some(pipeline.name()) {
                return refused(format!(
                    "batch {name:?} already exists in pipeline {:?}: choose another name",
                    known.unwrap_or_default()
                ));
            }
        }
        let mut plan = pipeline.plan().event_bytes(options.event_bytes);
        plan.outbox = options.outbox;
        plan.max_bytes = options.max_bytes;
        if is_listed && patience.outlast(|| batch.batch().progress(name)).await?.is_none() {
            // What is listed was of a former batch, or of a submission that was never begun.
            patience.outlast(|| registry.replace(&record)).await?;
        }
        patience.outlast(|| batch.batch().create(name, &plan)).await?;
        let progress = patience.outlast(|| batch.batch().progress(name)).await?;
        match progress {
            Some(progress) if progress.status == BatchStatus::Open => Ok(Self {
                record,
                registry,
                batch: batch.clone(),
                store: batch.batch().born_as(progress.born),
                upkeep: batch.batch_upkeep().born_as(progress.born),
                patience,
                page: Vec::new(),
                submitted: progress.total,
            }),
            _ => refused(format!(
                "batch {name:?} accepts no more documents: it is sealed or ended; choose another name"
            )),
        }
    }

    /// Documents that the batch has, those included that it had before.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Documents that were added here and that the batch does not have yet, as far as is known.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.page.len()
    }

    /// Adds a document; every thousandth sends a page. An empty entry is allowed; its meaning is up to
    /// the pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an entry of more than [`MAX_ENTRY`] bytes, which alone is not
    /// taken. Any other is about sending, as of [`Submission::flush`]: the document is taken, and
    /// [`Submission::pending`] until a later call sends it.
    pub async fn push(&mut self, entry: impl Into<Bytes>) -> Result<()> {
        let entry = entry.into();
        if entry.len() > MAX_ENTRY {
            let what = format!(
                "an entry has at most {MAX_ENTRY} bytes, but this one has {}: store the document \
                 elsewhere, and submit its name",
                entry.len()
            );
            let error = Error::new(ErrorKind::InvalidArgument, "submit batch", what);
            return Err(error.in_database(self.batch.name()).at_key(&self.record.name));
        }
        self.page.push(entry);
        if self.page.len() < MAX_AT_ONCE { Ok(()) } else { self.flush().await }
    }

    /// Sends what has been added.
    ///
    /// # Errors
    /// As [`BatchStore::submit`]; [`ErrorKind::Unknown`] where the batch has been removed. Unsent
    /// documents are kept.
    pub async fn flush(&mut self) -> Result<()> {
        while !self.page.is_empty() {
            let first = u32::try_from(self.submitted).unwrap_or(u32::MAX);
            let some = self.page[..self.page.len().min(MAX_AT_ONCE)].to_vec();
            let count = some.len();
            let (store, name) = (&self.store, self.record.name.as_str());
            // Told twice, or late after all, it adds nothing: the batch has more documents by then.
            let added =
                self.patience.outlast(|| store.submit_at(name, first, some.clone())).await?;
            let there = if added { count } else { self.there(first, &some).await? };
            if there > 0 {
                self.page.drain(..there);
                self.submitted += there as u64;
            } else {
                // Somebody else added some: these come behind them.
                let progress = self.patience.outlast(|| store.progress(name)).await?;
                self.submitted = progress.ok_or_else(|| self.missing())?.total;
            }
        }
        Ok(())
    }

    /// How many of these entries the batch has from `first` on: those of an earlier try that was executed,
    /// before which there may have been fewer of them.
    async fn there(&self, first: u32, entries: &[Bytes]) -> Result<usize> {
        let (upkeep, name) = (&self.upkeep, self.record.name.as_str());
        let there = self.patience.outlast(|| upkeep.entries(name, first, entries.len())).await?;
        Ok(there.iter().zip(entries).take_while(|(there, own)| there == own).count())
    }

    fn missing(&self) -> Error {
        let what = format!("batch {:?} has been removed", self.record.name);
        Error::new(ErrorKind::Unknown, "submit batch", what).in_database(self.batch.name())
    }

    /// Sends the rest, and lets nothing be added any more; how many documents there are. Dropped or refused,
    /// the batch is open or sealed, and calling it again goes on.
    ///
    /// # Errors
    /// As [`Submission::flush`] and [`BatchStore::seal`].
    pub async fn seal(&mut self) -> Result<u64> {
        self.flush().await?;
        let (store, name) = (&self.store, self.record.name.as_str());
        // Whoever removed a former batch of this name may have taken the new one off the list.
        self.patience.outlast(|| self.registry.add(&self.record)).await?;
        self.patience.outlast(|| store.seal(name)).await?;
        Ok(self.submitted)
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        let pending = self.page.len();
        if pending > 0 {
            let batch = self.record.name.as_str();
            tracing::warn!(batch, pending, "documents were dropped that the batch does not have");
        }
    }
}
