//! The legal stages for batches: any number of workers, in any number of processes.

use compartment_core::{Databases, Result};
use compartment_pipeline::{Engine, EngineOptions, Progress, Submission};
use serde::Serialize;

pub use crate::completion::BATCH_SUMMARY;
pub use crate::entry::DocumentEntry;
use crate::files::Found;
pub use crate::legal::{PIPELINE, pipeline};
use crate::options::IngestOptions;
use crate::result_cache::open_cache;

/// The legal pipeline over `databases`, its results in their cache as the configuration and the options
/// have it. Close the engine's cache at the end ([`Engine::cache`]).
///
/// # Errors
/// The store's: a cache database that refuses the program is noticed now.
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

/// What became of files that were submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubmittedFiles {
    /// Documents of the batch.
    pub submitted: u64,
    /// Files of the same content as another one, left out.
    pub duplicates: u64,
    /// Files that could not be submitted, with the reason.
    pub refused: Vec<(String, String)>,
}

/// Submits files, one by one as they are read; `watch` is told how many have been looked at.
///
/// # Errors
/// The store's.
pub async fn submit_files(
    submission: &mut Submission,
    files: Vec<Found>,
    mut watch: impl FnMut(u64),
) -> Result<SubmittedFiles> {
    let mut seen = std::collections::HashSet::new();
    let mut report = SubmittedFiles::default();
    for (at, file) in files.into_iter().enumerate() {
        let name = file.name.clone();
        let entry = tokio::task::spawn_blocking(move || DocumentEntry::of(&file)).await;
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
