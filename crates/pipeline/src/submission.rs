//! Submitting: a batch in pages as they come, or a single task.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    BatchStatus, Database, Error, ErrorKind, MAX_AT_ONCE, NewTask, QueueStoreExt, Result, Retry,
    Submitted, TaskClass,
};
use serde::{Deserialize, Serialize};

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

    /// With an outbox for a ledger.
    #[must_use]
    pub fn with_outbox(mut self) -> Self {
        self.outbox = true;
        self
    }

    /// Keeping so many bytes of events.
    #[must_use]
    pub fn event_bytes(mut self, bytes: u64) -> Self {
        self.event_bytes = bytes;
        self
    }

    /// Taking so many bytes of entries.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// A batch that documents are being added to. Holds one page of them at most.
#[derive(Debug)]
pub struct Submission {
    name: String,
    batch: Database,
    patience: Patience,
    page: Vec<Bytes>,
    /// Documents that the batch has.
    submitted: u64,
}

impl Submission {
    /// Begins a batch of a pipeline, or goes on with an open one of that name and pipeline: what is
    /// added comes behind what it has. One submission of a batch at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] where there is a batch of that name that takes no more documents, or of
    /// another pipeline; the store's.
    pub async fn begin(
        batch: &Database,
        name: &str,
        pipeline: &Pipeline,
        options: &BatchOptions,
        patience: Patience,
    ) -> Result<Self> {
        let mut record = BatchRecord::new(name, pipeline.name(), patience.clock().now());
        record.versions = pipeline.versions();
        record.class = options.class;
        let registry = BatchRegistry::new(batch.clone());
        let refused = |what: String| {
            Err(Error::new(ErrorKind::Contract, "submit batch", what).in_database(batch.name()))
        };
        if !patience.outlast(|| registry.add(&record)).await? {
            let known = registry.get(name).await?.map(|known| known.pipeline);
            if known.as_deref() != Some(pipeline.name()) {
                return refused(format!(
                    "there is a batch {name:?} of the pipeline {:?} already: choose another name",
                    known.unwrap_or_default()
                ));
            }
        }
        let mut plan = pipeline.plan().event_bytes(options.event_bytes);
        plan.outbox = options.outbox;
        plan.max_bytes = options.max_bytes;
        patience.outlast(|| batch.batch().create(name, &plan)).await?;
        let progress = patience.outlast(|| batch.batch().progress(name)).await?;
        match progress {
            Some(progress) if progress.status == BatchStatus::Open => Ok(Self {
                name: name.to_owned(),
                batch: batch.clone(),
                patience,
                page: Vec::new(),
                submitted: progress.total,
            }),
            _ => refused(format!(
                "batch {name:?} takes no more documents: it is sealed or ended; choose another name"
            )),
        }
    }

    /// Documents that the batch has, those included that it had before.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Adds a document; every thousandth sends a page.
    ///
    /// # Errors
    /// As [`compartment_core::BatchStore::submit`].
    pub async fn push(&mut self, entry: impl Into<Bytes>) -> Result<()> {
        self.page.push(entry.into());
        if self.page.len() < MAX_AT_ONCE { Ok(()) } else { self.flush().await }
    }

    /// Sends what has been added.
    ///
    /// # Errors
    /// As [`compartment_core::BatchStore::submit`].
    pub async fn flush(&mut self) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let page = std::mem::take(&mut self.page);
        let (store, name, before) = (self.batch.batch(), self.name.as_str(), self.submitted);
        let after = before + page.len() as u64;
        let is_there = || async {
            let progress = store.progress(name).await?;
            Ok(progress.is_some_and(|progress| progress.total >= after))
        };
        loop {
            let error = match store.submit(name, page.clone()).await {
                Ok(_) => break,
                Err(error) => error,
            };
            if error.retry() == Retry::Never {
                self.page = page;
                return Err(error);
            }
            // Whether it was executed is not known: the batch says how many documents it has.
            if self.patience.outlast(is_there).await? {
                break;
            }
        }
        self.submitted = after;
        Ok(())
    }

    /// Sends the rest, and lets nothing be added any more; how many documents there are.
    ///
    /// # Errors
    /// As [`compartment_core::BatchStore::submit`] and [`compartment_core::BatchStore::seal`].
    pub async fn seal(mut self) -> Result<u64> {
        self.flush().await?;
        self.patience.outlast(|| self.batch.batch().seal(&self.name)).await?;
        Ok(self.submitted)
    }
}

/// What a single task is made of: JSON in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskData {
    /// The stage.
    pub stage: String,
    /// The version of the stage that is asked for; any where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What names the document, as the entries of a batch do.
    pub entry: String,
}

impl TaskData {
    /// A stage of any version for the document that `entry` names.
    #[must_use]
    pub fn new(stage: impl Into<String>, entry: impl Into<String>) -> Self {
        Self { stage: stage.into(), version: None, entry: entry.into() }
    }
}

/// Submits a single task: one stage, with all it needs, for one document.
///
/// # Errors
/// [`ErrorKind::Unknown`] for a stage that the pipeline lacks; the store's.
pub async fn submit_task(
    batch: &Database,
    pipeline: &Pipeline,
    data: &TaskData,
    class: TaskClass,
    delay: Duration,
    deduplication_key: Option<&str>,
) -> Result<Submitted> {
    let queue = pipeline.place(&data.stage).and_then(|place| pipeline.queue_of(place));
    let queue = queue.ok_or_else(|| {
        let known: Vec<&str> = pipeline.stages().collect();
        let what = format!(
            "pipeline {:?} has no stage {:?}; it has {}",
            pipeline.name(),
            data.stage,
            known.join(", ")
        );
        Error::new(ErrorKind::Unknown, "submit task", what)
    })?;
    let payload = serde_json::to_vec(data)
        .map_err(|error| Error::new(ErrorKind::Encode, "submit task", error.to_string()))?;
    let mut task = NewTask::new(payload).class(class).after(delay);
    task.deduplication_key = deduplication_key.map(str::to_owned);
    batch.queue().submit_one(&queue, task).await
}
