//! The legal stages for batches: any number of workers, in any number of processes.

use compartment_core::{Databases, Result};
use compartment_pipeline::{Engine, EngineOptions, Progress, Submission};
use serde::Serialize;

pub use crate::completion::{BATCH_DECISIONS, BATCH_SUMMARY, keep_decisions};
pub use crate::entry::DocumentEntry;
use crate::files::{DocumentRoots, Found};
pub use crate::legal::{PIPELINE, pipeline};
use crate::options::IngestOptions;
use crate::result_cache::open_cache;

/// An engine for the legal pipeline over `databases`. It caches results in their cache, as configured
/// and as `options` say. Close its cache at the end ([`Engine::cache`]).
///
/// # Errors
/// The store's, including a cache database that refuses the program.
pub async fn engine(
    databases: &Databases,
    options: &IngestOptions,
    progress: Progress,
) -> Result<Engine> {
    let cache = open_cache(databases, options.cache).await?;
    let pipeline = pipeline(databases, options)?;
    let engine = EngineOptions::default().progress(progress).concurrency(options.concurrency);
    Ok(Engine::new(pipeline, databases, cache, engine))
}

/// The result of submitting files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubmittedFiles {
    /// Number of documents added to the batch.
    pub submitted: u64,
    /// Number of files skipped because another file has equal content.
    pub duplicates: u64,
    /// Files that could not be submitted, with the reason.
    pub refused: Vec<(String, String)>,
}

/// Submits files below `roots` one by one as they are read; calls `watch` with the number of files read so far.
///
/// # Errors
/// The store's.
pub async fn submit_files(
    submission: &mut Submission,
    files: Vec<Found>,
    roots: &DocumentRoots,
    mut watch: impl FnMut(u64),
) -> Result<SubmittedFiles> {
    let mut seen = std::collections::HashSet::new();
    let mut report = SubmittedFiles::default();
    for (at, file) in files.into_iter().enumerate() {
        let (name, roots) = (file.name.clone(), roots.clone());
        let entry = tokio::task::spawn_blocking(move || DocumentEntry::below(&file, &roots)).await;
        match entry {
            Ok(Ok(entry)) if !seen.insert(entry.hash.clone()) => report.duplicates += 1,
            Ok(Ok(entry)) => {
                submission.push(entry.to_json()).await?;
                report.submitted += 1;
            }
            Ok(Err(error)) => report.refused.push((name, error.message)),
            Err(error) => report.refused.push((name, error.to_string())),
        }
        watch(at as u64 + 1);
    }
    Ok(report)
}
