//! The job of a document, as it is kept for whoever goes on with it.

use std::time::Duration;

use compartment_core::{KeyTemplate, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a job is known after it was last noted. Services forget theirs after a week too.
const LIFE: Duration = Duration::from_secs(7 * 86_400);

/// The status of a job. Its name is that of the first service of the kind, whichever is asked.
pub const JOB_STATUS: KeyTemplate<OcrJob> =
    KeyTemplate::new("job_textract_status", "job:textract:status:{job_id}", "batch").with_ttl(LIFE);
/// The job of a document at a service.
pub const JOB_OF_DOCUMENT: KeyTemplate<JobOfDocument> =
    KeyTemplate::new("doc_ocr_job", "doc:ocr_job:{content_hash}:{version}", "batch").with_ttl(LIFE);

/// The job of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobOfDocument {
    /// The service's id of the job; `None` if the last one failed.
    pub job_id: Option<String>,
    /// How many jobs the document had before, which failed or were lost. A further one has another token.
    pub earlier: u32,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// The service works on it, or will.
    InProgress,
    /// Its pages can be fetched.
    Succeeded,
    /// It will have no pages.
    Failed,
}

/// A job, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OcrJob {
    /// The hash of the document's content.
    pub document: String,
    /// Number of pages that were submitted.
    pub pages: usize,
    /// Its state.
    pub state: JobState,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When the service was last asked.
    pub seen_at: Timestamp,
    /// How often the service was asked.
    pub looks: u64,
}
