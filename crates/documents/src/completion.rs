//! The end of a batch: the summary over all of its documents.

use std::sync::Arc;

use compartment_core::{Databases, Error, ErrorKind, KeyTemplate};
use compartment_pipeline::{Completed, Node, PipelineError};
use futures_util::TryStreamExt;

use crate::model::Relationship;
use crate::resolve::{Decisions, DocumentEntities};
use crate::set_summary::{SetSummary, summarize};
use crate::stages::ResolvedMentions;

/// The summary of a completed batch.
pub const BATCH_SUMMARY: KeyTemplate<SetSummary> =
    KeyTemplate::new("batch_summary", "batch:summary:{batch}", "results");

/// The decisions on the entities of a batch, as the text of a file of them: its summary follows them.
pub const BATCH_DECISIONS: KeyTemplate<String> =
    KeyTemplate::new("batch_decisions", "batch:decisions:{batch}", "results");

/// Keeps the decisions on the entities of a batch, for its summary. Call it before the batch is completed.
///
/// # Errors
/// The store's.
pub async fn keep_decisions(
    databases: &Databases,
    batch: &str,
    decisions: &Decisions,
) -> compartment_core::Result<()> {
    databases.write(&BATCH_DECISIONS.key(&[batch])?, &decisions.to_text()).await
}

/// The stages whose results a summary needs from each document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) resolved: Node<ResolvedMentions>,
    pub(crate) related: Node<Vec<Relationship>>,
}

/// Makes the summary of a batch from its documents' results.
pub(crate) async fn summary(
    databases: Databases,
    batch: Completed,
    parts: Parts,
) -> std::result::Result<(), PipelineError> {
    let dead = batch.dead().await?;
    let mut entities: Vec<DocumentEntities> = Vec::new();
    let mut relationships = Vec::new();
    let mut documents = batch.documents();
    while let Some(document) = documents.try_next().await? {
        if dead.contains(&document.ordinal()) {
            continue;
        }
        let resolved = batch.value(parts.resolved, &document).await?;
        let resolved = Arc::unwrap_or_clone(resolved);
        entities.push(resolved.with_mentions(document.subject(), Vec::new()));
        relationships.push(Arc::unwrap_or_clone(batch.value(parts.related, &document).await?));
    }
    let decisions = match databases.read(&BATCH_DECISIONS.key(&[batch.batch()])?).await? {
        Some(text) => Decisions::parse(&text).map_err(|error| {
            Error::new(ErrorKind::Decode, "read the decisions of a batch", error.to_string())
        })?,
        None => Decisions::default(),
    };
    let work = tokio::task::spawn_blocking(move || summarize(&entities, relationships, &decisions));
    let summary = work.await.map_err(|error| {
        let what = format!("resolving across the documents failed: {error}");
        Error::new(ErrorKind::Unsupported, "summarise batch", what)
    })?;
    let key = BATCH_SUMMARY.key(&[batch.batch()])?;
    databases.write(&key, &summary).await?;
    Ok(())
}
