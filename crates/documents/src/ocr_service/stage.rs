//! The stage that has a service read the pages without text, and goes on with a job that somebody else began.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Clock, Databases, Error, KeyTemplate, MonotonicInstant, TypedKey};
use compartment_pipeline::{ExternalStage, StageError};

use super::client::{OcrService, Unhelpful};
use super::job::{JOB_OF_DOCUMENT, JOB_STATUS, JobOfDocument, JobState, OcrJob};
use super::pages::with_pages;
use crate::entry::DocumentEntry;
use crate::extract::ExtractOptions;
use crate::files::{DocumentRoots, FileContent};
use crate::model::ExtractedText;
use crate::reader::all_of;
use crate::stages::{OCR_RESULT, stage_error};

/// Requests in a row that may fail.
const MAX_FAILURES: u32 = 6;
/// The longest pause that a service is given.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// Jobs of a document that a service may lose while it is read.
const MAX_LOST: u32 = 2;

/// A document, and its text without the pages that are unread.
#[derive(Debug)]
pub(crate) struct ScannedDocument {
    pub(crate) entry: DocumentEntry,
    pub(crate) text: Arc<ExtractedText>,
}

/// The stage that has a service read the pages without text. It holds the document's lock: two workers do not submit it.
pub(crate) struct OcrServiceStage {
    pub(crate) service: OcrService,
    pub(crate) databases: Databases,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roots: DocumentRoots,
    pub(crate) options: ExtractOptions,
}

impl fmt::Debug for OcrServiceStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcrServiceStage").field("service", &self.service).finish_non_exhaustive()
    }
}

#[async_trait]
impl ExternalStage for OcrServiceStage {
    type Input = ScannedDocument;
    type Output = ExtractedText;

    fn name(&self) -> &'static str {
        "ocr"
    }

    fn version(&self) -> String {
        format!("1-service-{}-{}", self.service.version(), self.options.ocr_language)
    }

    fn template(&self) -> KeyTemplate<ExtractedText> {
        OCR_RESULT
    }

    async fn call(&self, document: &ScannedDocument) -> Result<ExtractedText, StageError> {
        let text = &document.text;
        if text.unread.is_empty() {
            return Ok(ExtractedText::clone(text));
        }
        let mut work = Work::of(self, document)?;
        let read = work.read().await?;
        let max = self.options.max_text_bytes;
        with_pages(text, read, max).map_err(|error| stage_error(&error))
    }
}

/// A job that the service has.
struct Job {
    id: String,
    earlier: u32,
}

/// The work on one document.
struct Work<'s> {
    stage: &'s OcrServiceStage,
    document: &'s ScannedDocument,
    /// The key of the document's job.
    own: TypedKey<JobOfDocument>,
    give_up: MonotonicInstant,
    /// Requests in a row that failed.
    failures: u32,
}

impl<'s> Work<'s> {
    fn of(stage: &'s OcrServiceStage, document: &'s ScannedDocument) -> Result<Self, StageError> {
        let own = JOB_OF_DOCUMENT.key(&[&document.entry.hash, &stage.version()]);
        let give_up = stage.clock.monotonic().after(stage.options.document_timeout);
        Ok(Self { stage, document, own: own.map_err(store)?, give_up, failures: 0 })
    }

    /// The text of each unread page.
    async fn read(&mut self) -> Result<BTreeMap<usize, String>, StageError> {
        let mut lost = 0;
        loop {
            let job = self.job().await?;
            let read = match self.end_of(&job).await {
                Ok(()) => self.pages(&job).await,
                Err(unhelpful) => Err(unhelpful),
            };
            match read {
                Ok(pages) => return Ok(pages),
                Err(Unhelpful::Later(error, _) | Unhelpful::Failed(error)) => return Err(error),
                Err(Unhelpful::JobFailed(error)) => {
                    self.note(&job, JobState::Failed, 0).await?;
                    // Whoever tries the document again wants another job.
                    let next = JobOfDocument { job_id: None, earlier: job.earlier + 1 };
                    self.stage.databases.write(&self.own, &next).await.map_err(store)?;
                    return Err(error);
                }
                Err(Unhelpful::Unknown) if lost < MAX_LOST => {
                    lost += 1;
                    self.submit(job.earlier + 1).await?;
                }
                Err(Unhelpful::Unknown) => {
                    return Err(failure(self.stage.service.wrong("it loses its jobs")));
                }
            }
        }
    }

    /// The document's job: the one that is known, or a new one.
    async fn job(&mut self) -> Result<Job, StageError> {
        match self.stage.databases.read(&self.own).await.map_err(store)? {
            Some(JobOfDocument { job_id: Some(id), earlier }) => {
                tracing::debug!(job = id, "an OCR job is continued");
                Ok(Job { id, earlier })
            }
            Some(JobOfDocument { job_id: None, earlier }) => self.submit(earlier).await,
            None => self.submit(0).await,
        }
    }

    /// Submits the document and notes its job. Between the two a worker may die: then the service answers the same token
    /// with the same job.
    async fn submit(&mut self, earlier: u32) -> Result<Job, StageError> {
        let content = self.content().await?;
        let (stage, document) = (self.stage, self.document);
        let (pages, language) = (&document.text.unread, &stage.options.ocr_language);
        let token = format!("{}-{}-{earlier}", document.entry.hash, stage.version());
        let id = loop {
            let submitted = stage.service.submit(content.clone(), pages, language, &token).await;
            match submitted {
                Ok(id) => break id,
                Err(Unhelpful::Later(error, after)) => self.pause(error, after).await?,
                Err(Unhelpful::Unknown) => {
                    return Err(failure(
                        stage.service.wrong("it answers 404: is the address right?"),
                    ));
                }
                Err(Unhelpful::Failed(error) | Unhelpful::JobFailed(error)) => return Err(error),
            }
        };
        self.failures = 0;
        let known = JobOfDocument { job_id: Some(id.clone()), earlier };
        stage.databases.write(&self.own, &known).await.map_err(store)?;
        let job = Job { id, earlier };
        self.note(&job, JobState::InProgress, 0).await?;
        Ok(job)
    }

    /// The document's content, which is the one that was named.
    async fn content(&self) -> Result<bytes::Bytes, StageError> {
        let (entry, roots) = (self.document.entry.clone(), self.stage.roots.clone());
        let options = self.stage.options.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut content = FileContent::open(&entry.path, &entry.hash, &roots, &options)?;
            all_of(&mut content)
        });
        let read = read.await.unwrap_or_else(|_| {
            Err(StageError::new("interrupted", "the run ended while the document was read")
                .transient())
        });
        read.map(bytes::Bytes::from)
    }

    /// Looks at the job until it has succeeded, after longer and longer pauses.
    async fn end_of(&mut self, job: &Job) -> Result<(), Unhelpful> {
        let mut looks = 0;
        loop {
            match self.stage.service.status(&job.id).await {
                Ok(state) => {
                    (self.failures, looks) = (0, looks + 1);
                    self.note(job, state, looks).await.map_err(Unhelpful::Failed)?;
                    if state == JobState::Succeeded {
                        return Ok(());
                    }
                    let pause =
                        self.stage.service.pauses.after(looks.try_into().unwrap_or(u32::MAX));
                    self.sleep(pause).await.map_err(|error| Unhelpful::Later(error, None))?;
                }
                Err(Unhelpful::Later(error, after)) => {
                    let paused = self.pause(error, after).await;
                    paused.map_err(|error| Unhelpful::Later(error, None))?;
                }
                Err(other) => return Err(other),
            }
        }
    }

    async fn pages(&mut self, job: &Job) -> Result<BTreeMap<usize, String>, Unhelpful> {
        let (mut pages, mut bytes) = (BTreeMap::new(), 0);
        for page in &self.document.text.unread {
            let text = loop {
                match self.stage.service.page(&job.id, *page).await {
                    Ok(text) => break text,
                    Err(Unhelpful::Later(error, after)) => {
                        let paused = self.pause(error, after).await;
                        paused.map_err(|error| Unhelpful::Later(error, None))?;
                    }
                    Err(other) => return Err(other),
                }
            };
            self.failures = 0;
            bytes += text.len() as u64;
            if bytes > self.stage.options.max_text_bytes {
                return Err(self.stage.service.wrong("its pages are longer than a text may be"));
            }
            pages.insert(*page, text);
        }
        Ok(pages)
    }

    /// Notes the job's state for people and for whoever goes on with it.
    async fn note(&self, job: &Job, state: JobState, looks: u64) -> Result<(), StageError> {
        let (databases, now) = (&self.stage.databases, self.stage.clock.now());
        let key = JOB_STATUS.key(&[&job.id]).map_err(store)?;
        let before = databases.read(&key).await.map_err(store)?;
        let noted = OcrJob {
            document: self.document.entry.hash.clone(),
            pages: self.document.text.unread.len(),
            state,
            submitted_at: before.as_ref().map_or(now, |job| job.submitted_at),
            seen_at: now,
            looks: before.map_or(0, |job| job.looks).saturating_add(u64::from(looks > 0)),
        };
        databases.write(&key, &noted).await.map_err(store)
    }

    /// Waits after a request that failed, unless too many did.
    async fn pause(
        &mut self,
        error: StageError,
        after: Option<Duration>,
    ) -> Result<(), StageError> {
        self.failures += 1;
        let pause = after.unwrap_or_else(|| self.stage.service.pauses.after(self.failures));
        if self.failures >= MAX_FAILURES || pause > MAX_PAUSE {
            return Err(error);
        }
        self.sleep(pause).await
    }

    async fn sleep(&self, pause: Duration) -> Result<(), StageError> {
        let clock = &self.stage.clock;
        if clock.monotonic().after(pause) > self.give_up {
            let limit = self.stage.options.document_timeout;
            let what = format!(
                "the OCR service did not finish within {limit:?}; its job is known, and the next attempt goes on with it"
            );
            return Err(StageError::new("ocr_timed_out", what).transient());
        }
        clock.sleep(pause).await;
        Ok(())
    }
}

fn failure(unhelpful: Unhelpful) -> StageError {
    match unhelpful {
        Unhelpful::Later(error, _) | Unhelpful::Failed(error) | Unhelpful::JobFailed(error) => {
            error
        }
        Unhelpful::Unknown => {
            StageError::new("ocr_failed", "the OCR service does not know the job")
        }
    }
}

/// A job that cannot be noted would be paid for again, so the document waits for the store.
fn store(error: Error) -> StageError {
    StageError::new("ocr_unavailable", format!("the OCR job cannot be noted: failed to {error}"))
        .transient()
}
