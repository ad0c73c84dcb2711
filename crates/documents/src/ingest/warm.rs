//! Warms the cache: reads text, state and results of recent documents in advance.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, WarmOptions, WarmReport};
use compartment_core::{Clock, Database, Databases, Result, Role, SystemClock, Timestamp};
use compartment_pipeline::{
    Document, DocumentState, Engine, EngineOptions, Identity, LocalRun, Needs, PipelineError,
};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde::Serialize;

use super::project::{hash_of, state_copy, state_key, states};
use crate::entry::DocumentEntry;
use crate::files::{DocumentRoots, Found};
use crate::legal::Legal;
use crate::options::IngestOptions;
use crate::result_cache::open_cache;

/// Options of warming.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WarmDocuments {
    /// Documents whose state was written within this time.
    pub within: Duration,
    /// Maximum number of documents, the newest first.
    pub limit: usize,
    /// Whether missing results are made from the document's file, if its content is unchanged.
    pub make: bool,
    /// Options of the reads, with their limits.
    pub reads: WarmOptions,
    /// Options for processing documents.
    pub ingest: IngestOptions,
}

impl Default for WarmDocuments {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(24 * 3_600),
            limit: 100,
            make: true,
            reads: WarmOptions::default(),
            ingest: IngestOptions::default(),
        }
    }
}

/// The result of warming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WarmedDocuments {
    /// Number of recent documents, up to the limit.
    pub documents: u64,
    /// Documents whose results were all in the cache.
    pub found: u64,
    /// Documents with results that were made again.
    pub made: u64,
    /// Documents with missing results that were not made.
    pub missing: u64,
    /// Documents whose processing failed.
    pub failed: u64,
    /// Documents skipped because a limit was reached.
    pub left_out: u64,
    /// Entries of the first tier afterwards.
    pub first_tier_entries: u64,
    /// Bytes of the first tier afterwards.
    pub first_tier_bytes: u64,
    /// Duration in milliseconds.
    pub elapsed_ms: u64,
}

/// Reads cached results of recent documents into this process, newest first, and makes missing
/// ones. Calls `watch` with the number of documents, and after each document. Needs the databases
/// `cache`, `batch` and `metrics`.
///
/// # Errors
/// The batch database's, which lists the recent documents. An unreachable cache is not an error.
pub async fn warm(
    databases: &Databases,
    options: &WarmDocuments,
    watch: impl FnMut(u64, &WarmReport),
) -> Result<WarmedDocuments> {
    let cache = open_cache(databases, options.ingest.cache).await?;
    let warmed = warm_cache(databases, &cache, options, watch).await?;
    if let Err(error) = cache.close().await {
        tracing::warn!(%error, "the cache's figures could not be added to the metrics");
    }
    Ok(warmed)
}

/// Warms documents for a cache that is already open.
///
/// # Errors
/// As [`warm`].
pub async fn warm_cache(
    databases: &Databases,
    cache: &Cache,
    options: &WarmDocuments,
    mut watch: impl FnMut(u64, &WarmReport),
) -> Result<WarmedDocuments> {
    let batch = databases.role(Role::Batch)?;
    let recent = recent(batch, options, SystemClock.now()).await?;
    let total = recent.len() as u64;
    let legal = Legal::declare(databases, &options.ingest)?;
    let engine = EngineOptions::default().concurrency(options.ingest.concurrency);
    let nodes = legal.nodes;
    let engine = Engine::new(legal.pipeline, databases, cache.clone(), engine);
    // All results, including text and chunks.
    let every = ((nodes.text, nodes.chunks), (nodes.mentions, nodes.resolved, nodes.related));
    let (run, batch) = (LocalRun::new(engine, every), batch.clone());
    let made = Arc::new(AtomicU64::new(0));
    let reads = recent.into_iter().map(|hash| {
        let (run, batch) = (run.clone(), batch.clone());
        let (made, make) = (Arc::clone(&made), options.make);
        let roots = options.ingest.roots.clone();
        async move {
            let file = match look(run.engine(), &batch, &hash).await? {
                Held::Whole => return Ok::<bool, PipelineError>(true),
                Held::Lacking(file) => file.filter(|_| make),
            };
            let is_made = match file {
                Some(file) => remake(&run, &hash, file, roots).await?,
                None => false,
            };
            made.fetch_add(u64::from(is_made), Ordering::Relaxed);
            Ok(is_made)
        }
    });
    watch(total, &WarmReport::default());
    let report = cache.warm(reads, &options.reads, |report| watch(total, report)).await;
    let (made, metrics) = (made.load(Ordering::Relaxed), cache.metrics());
    Ok(WarmedDocuments {
        documents: total,
        found: report.found - made,
        made,
        missing: report.missing,
        failed: report.failed,
        left_out: report.left_out,
        first_tier_entries: metrics.first_tier_entries,
        first_tier_bytes: metrics.first_tier_bytes,
        elapsed_ms: report.elapsed_ms,
    })
}

/// States read together.
const AT_ONCE: usize = 256;

/// The content hashes of the newest documents, newest first; at most the limit is kept in memory.
async fn recent(batch: &Database, options: &WarmDocuments, now: Timestamp) -> Result<Vec<String>> {
    let oldest = Timestamp::from_millis(
        now.as_millis()
            .saturating_sub(u64::try_from(options.within.as_millis()).unwrap_or(u64::MAX)),
    );
    let mut newest: BTreeSet<(Timestamp, String)> = BTreeSet::new();
    let mut pages = batch.key_value().scan(&states()?).ready_chunks(AT_ONCE);
    while let Some(page) = pages.next().await {
        let names = page.into_iter().collect::<Result<Vec<String>>>()?;
        let times = names.iter().map(|name| DocumentState::updated(batch, name));
        let times = try_join_all(times).await?;
        for (name, time) in names.iter().zip(times) {
            let (Some(hash), Some(time)) = (hash_of(name), time) else { continue };
            if time >= oldest {
                newest.insert((time, hash.to_owned()));
            }
            if newest.len() > options.limit {
                newest.pop_first();
            }
        }
    }
    Ok(newest.into_iter().rev().map(|(_, hash)| hash).collect())
}

/// The cached part of a document.
enum Held {
    Whole,
    /// Results are missing; has the document's file, if known.
    Lacking(Option<Found>),
}

/// Reads all cached results of a document.
async fn look(engine: &Engine, batch: &Database, hash: &str) -> Result<Held, PipelineError> {
    let (batch, key) = (batch.clone(), state_key(hash)?);
    let cache = engine.cache().of_document(hash);
    let load = move || async move { DocumentState::load(&batch, &key).await };
    let state = cache.get_or_load_optional(&state_copy(hash)?, load).await;
    let identity = Identity::new(hash, hash);
    if engine.is_kept(&Document::new("", 0, Default::default(), identity)).await? {
        return Ok(Held::Whole);
    }
    let state = state.ok().flatten();
    let file = state.and_then(|state| {
        Some(Found { name: state.name().to_owned(), path: state.file()?.to_owned() })
    });
    Ok(Held::Lacking(file))
}

/// Makes missing results from the document's file; `false` if its content has changed.
async fn remake<D: Needs>(
    run: &LocalRun<D>,
    hash: &str,
    file: Found,
    roots: DocumentRoots,
) -> Result<bool, PipelineError> {
    let read = tokio::task::spawn_blocking(move || DocumentEntry::below(&file, &roots)).await;
    let Ok(Ok(entry)) = read else { return Ok(false) };
    if entry.hash != hash {
        return Ok(false);
    }
    let document = run.engine().document("", 0, entry.to_json().into())?;
    run.document(document).await?.results?;
    Ok(true)
}
