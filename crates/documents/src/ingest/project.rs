//! The data of a project in the batch database: its documents and its last run.

use bytes::Bytes;
use compartment_core::{Clock, Database, Expiry, KeyTemplate, Result, SystemClock, TypedKey};
use compartment_pipeline::{DocumentState, Patience};

use super::report::IngestReport;
use crate::files::Found;

/// The state of a document: a hash with a field per stage.
const STATE: KeyTemplate<()> = KeyTemplate::new("doc_state", "doc:state:{content_hash}", "batch");
/// A copy of a document's state in the cache, for programs that read it often.
const STATE_COPY: KeyTemplate<DocumentState> =
    KeyTemplate::new("doc_state_copy", "doc:state:{content_hash}", "cache");
/// Metadata of a project: a hash.
const METADATA: KeyTemplate<()> =
    KeyTemplate::new("project_metadata", "project:metadata:{project}", "batch");
/// The documents of a project: a hash of name and path.
const DOCUMENTS: KeyTemplate<()> =
    KeyTemplate::new("project_documents", "project:documents:{project}", "batch");
/// The progress of the run: a hash with a field for each count of each stage.
const PROGRESS: KeyTemplate<()> =
    KeyTemplate::new("batch_progress", "batch:progress:{project}", "batch");

/// Fields per request: a million documents in one request would block the server.
const FIELDS_AT_ONCE: usize = 1_000;

pub(super) fn state_key(hash: &str) -> Result<String> {
    Ok(STATE.key(&[hash])?.as_str().to_owned())
}

/// The key of the cached copy.
pub(super) fn state_copy(hash: &str) -> Result<TypedKey<DocumentState>> {
    STATE_COPY.key(&[hash])
}

/// The glob that matches the states of all documents.
pub(super) fn states() -> Result<String> {
    Ok(compartment_core::Template::parse(STATE.template())?.glob())
}

/// The content hash in the name of a state.
pub(super) fn hash_of(key: &str) -> Option<&str> {
    let (before, _) = STATE.template().split_once('{')?;
    key.strip_prefix(before)
}

pub(super) fn progress_key(project: &str) -> Result<String> {
    Ok(PROGRESS.key(&[project])?.as_str().to_owned())
}

/// Records the documents of the run.
pub(super) async fn start(
    batch: &Database,
    project: &str,
    files: &[Found],
    patience: &Patience,
) -> Result<()> {
    let documents = DOCUMENTS.key(&[project])?;
    for some in files.chunks(FIELDS_AT_ONCE) {
        let fields: Vec<(String, Bytes)> = some
            .iter()
            .map(|file| (file.name.clone(), file.path.display().to_string().into()))
            .collect();
        set(batch, documents.as_str(), fields, patience).await?;
    }
    let metadata = METADATA.key(&[project])?;
    let fields = vec![
        ("name".to_owned(), Bytes::from(project.to_owned())),
        ("started_ms".to_owned(), SystemClock.now().as_millis().to_string().into()),
        ("documents".to_owned(), files.len().to_string().into()),
        ("status".to_owned(), "running".into()),
    ];
    set(batch, metadata.as_str(), fields, patience).await
}

/// Records the end of the run.
pub(super) async fn finish(
    batch: &Database,
    report: &IngestReport,
    patience: &Patience,
) -> Result<()> {
    let metadata = METADATA.key(&[&report.project])?;
    let fields = vec![
        ("status".to_owned(), Bytes::from_static(b"finished")),
        ("finished_ms".to_owned(), SystemClock.now().as_millis().to_string().into()),
        ("done".to_owned(), report.documents.done.to_string().into()),
        ("failed".to_owned(), report.documents.failed.to_string().into()),
    ];
    set(batch, metadata.as_str(), fields, patience).await
}

async fn set(
    batch: &Database,
    key: &str,
    fields: Vec<(String, Bytes)>,
    patience: &Patience,
) -> Result<()> {
    patience
        .outlast(|| batch.hash().set_fields(key, fields.clone(), Expiry::DatabaseDefault))
        .await
        .map(drop)
}
