//! OCR by a service that works in jobs: the document is submitted, its job looked at until it ends, its pages fetched.
//!
//! The protocol is our own, so that an adapter in front of any service can speak it; `docs/documents.md` describes it. A
//! job is noted in the database `batch` before anything else is done, and is found again by the content of its document:
//! a worker that takes over goes on with the job, and submits nothing.

mod client;
mod job;
mod pages;
mod stage;

pub use client::OcrService;
pub use job::{JOB_OF_DOCUMENT, JOB_STATUS, JobOfDocument, JobState, OcrJob};
pub(crate) use stage::{OcrServiceStage, ScannedDocument};
