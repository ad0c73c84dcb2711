//! The protocol of an OCR service: submit, status, and the text of a page, as JSON over HTTP.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Backoff, OcrServiceSettings};
use compartment_https::{Answer, Call, Endpoint, EndpointError};
use compartment_pipeline::StageError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::job::JobState;
use crate::service_message::service_message;
use crate::visible::visible;

/// Bytes of an answer about a job.
const MAX_STATUS: usize = 64 * 1024;
/// Bytes of text of one page, as for the OCR program.
const MAX_TEXT: usize = 1024 * 1024;
/// Bytes of the answer with a page: a letter may take six in JSON.
const MAX_PAGE: usize = 6 * MAX_TEXT + 1024;
/// Letters of a job's id.
const MAX_ID: usize = 128;
/// Characters of a job's message that are passed on.
const MAX_MESSAGE: usize = 300;

/// A service that reads pages without text. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OcrService {
    endpoint: Endpoint,
    shown: Arc<str>,
    pub(super) pauses: Backoff,
}

/// Why a request to the service did not help.
#[derive(Debug)]
pub(super) enum Unhelpful {
    /// The service is busy or away; it wants to be left alone for so long.
    Later(StageError, Option<Duration>),
    /// The service does not know the job.
    Unknown,
    /// The job has failed: another one is another attempt.
    JobFailed(StageError),
    /// The document's failure.
    Failed(StageError),
}

impl OcrService {
    /// The service of `settings`, with the key `key`.
    ///
    /// # Errors
    /// If the key cannot be used at this address.
    pub fn new(settings: &OcrServiceSettings, key: Option<&str>) -> Result<Self, EndpointError> {
        Ok(Self {
            endpoint: Endpoint::new(settings.url.as_str(), key, settings.timeout)?,
            shown: settings.url.as_str().into(),
            pauses: Backoff::new(Duration::from_secs(1), Duration::from_secs(30)),
        })
    }

    /// Sets the pauses between looks at a job, and between requests to a service that fails.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Backoff) -> Self {
        self.pauses = pauses;
        self
    }

    /// A part of keys that tells this service from others.
    pub(super) fn version(&self) -> String {
        let digest = Sha256::digest(self.shown.as_bytes());
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Submits the pages of a document. The service answers an equal token with the job that it has for it. Returns the
    /// id of the job.
    pub(super) async fn submit(
        &self,
        content: bytes::Bytes,
        pages: &[usize],
        language: &str,
        token: &str,
    ) -> Result<String, Unhelpful> {
        #[derive(Deserialize)]
        struct Submitted {
            job_id: String,
        }
        let language: String =
            language.chars().filter(|c| c.is_ascii_alphanumeric() || "+_-".contains(*c)).collect();
        let language = language.replace('+', "%2B");
        let path = format!("/jobs?pages={}&language={language}", ranges(pages));
        let call = Call::post(path, "application/pdf", content).header("idempotency-key", token);
        let Submitted { job_id } = self.ask(call, MAX_STATUS).await?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_id = (1..=MAX_ID).contains(&job_id.len()) && job_id.chars().all(is_letter);
        // As a part of a path it would lead elsewhere.
        if !is_id || job_id.chars().all(|c| c == '.') {
            return Err(self.wrong("the id of its job is none"));
        }
        Ok(job_id)
    }

    /// The state of a job; of a failed one the failure.
    pub(super) async fn status(&self, job_id: &str) -> Result<JobState, Unhelpful> {
        #[derive(Deserialize)]
        struct Status {
            status: JobState,
            #[serde(default)]
            message: String,
        }
        let call = Call::get(format!("/jobs/{job_id}"));
        let Status { status, message } = self.ask(call, MAX_STATUS).await?;
        if status != JobState::Failed {
            return Ok(status);
        }
        let message = match self.endpoint.repeats_token(&message) {
            true => "its message repeats a part of the key and is not shown".to_owned(),
            false => visible(message.trim()).chars().take(MAX_MESSAGE).collect(),
        };
        let what = format!("the OCR service at {} failed: {message}", self.shown);
        Err(Unhelpful::JobFailed(StageError::new("ocr_failed", what)))
    }

    /// The text of a page of a job that has succeeded.
    pub(super) async fn page(&self, job_id: &str, page: usize) -> Result<String, Unhelpful> {
        #[derive(Deserialize)]
        struct Page {
            page: usize,
            text: String,
        }
        let call = Call::get(format!("/jobs/{job_id}/pages/{page}"));
        let Page { page: answered, text } = self.ask(call, MAX_PAGE).await?;
        if answered != page {
            return Err(self.wrong("it answers with another page"));
        }
        if text.len() > MAX_TEXT {
            return Err(self.wrong(&format!("page {page} has more than {MAX_TEXT} bytes of text")));
        }
        Ok(text)
    }

    async fn ask<T: DeserializeOwned>(&self, call: Call, max: usize) -> Result<T, Unhelpful> {
        let answer = match self.endpoint.ask(call, max).await {
            Ok(answer) => answer,
            Err(compartment_https::NoAnswer::TooLarge(max)) => {
                return Err(self.wrong(&format!("its answer has more than {max} bytes")));
            }
            Err(error) => return Err(self.later(&error.to_string(), None)),
        };
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| self.wrong("its answer is not of the protocol"))
    }

    fn refused(&self, answer: &Answer) -> Unhelpful {
        let message = service_message(&self.endpoint, answer);
        if answer.is_worth_another() {
            return self.later(&message, answer.retry_after);
        }
        if matches!(answer.status.as_u16(), 404 | 410) {
            return Unhelpful::Unknown;
        }
        self.wrong(&message)
    }

    fn later(&self, why: &str, after: Option<Duration>) -> Unhelpful {
        let what = format!("the OCR service at {}: {why}", self.shown);
        Unhelpful::Later(StageError::new("ocr_unavailable", what).transient(), after)
    }

    /// A failure that another request would not mend.
    pub(super) fn wrong(&self, why: &str) -> Unhelpful {
        let what = format!("the OCR service at {}: {why}", self.shown);
        Unhelpful::Failed(StageError::new("ocr_failed", what))
    }
}

/// Page numbers in order as `1,3-5`.
fn ranges(pages: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for page in pages {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *page => *last = *page,
            _ => ranges.push((*page, *page)),
        }
    }
    let shown = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_named_by_ranges() {
        assert_eq!(ranges(&[1, 3, 4, 5, 9]), "1,3-5,9");
        assert_eq!(ranges(&[2]), "2");
    }
}
