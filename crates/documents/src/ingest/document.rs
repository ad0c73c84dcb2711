//! One document through the stages that concern it alone.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use compartment_core::{Database, SystemClock};
use compartment_pipeline::{DocumentState, Patience, PipelineError, Runner, Stage, StageError};
use sha2::{Digest, Sha256};

use super::discover::{Found, unreadable};
use super::output::{DocumentFile, FileNames};
use super::project::state_key;
use crate::model::Relationship;
use crate::resolve::DocumentEntities;
use crate::stages::{
    ChunkStage, EntitiesStage, ExtractStage, ExtractedMentions, RelateStage, ResolveStage, STAGES,
    SourceFile, stage_error,
};

/// How a document ended.
pub(super) enum Outcome {
    Done(Box<Processed>),
    /// Its content is another document's of the run.
    Duplicate,
    Failed {
        name: String,
        error: StageError,
    },
}

impl Outcome {
    pub(super) fn is_done(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// What is kept of a document until all are done: not its text, chunks or mentions.
pub(super) struct Processed {
    pub(super) name: String,
    /// Its things, without the mentions.
    pub(super) entities: DocumentEntities,
    pub(super) relationships: Vec<Relationship>,
    /// Where its file is, if files are written.
    pub(super) file: Option<PathBuf>,
}

/// Takes documents through the stages.
pub(super) struct Worker {
    pub(super) runner: Runner,
    pub(super) extract: Arc<ExtractStage>,
    pub(super) chunk: Arc<ChunkStage>,
    pub(super) relate: Arc<RelateStage>,
    pub(super) batch: Database,
    pub(super) patience: Patience,
    pub(super) out: Option<PathBuf>,
    pub(super) file_names: Mutex<FileNames>,
    /// Content hashes of this run.
    pub(super) seen: Mutex<HashSet<String>>,
}

impl Worker {
    /// Takes one document through; its own failure is an outcome, not an error.
    pub(super) async fn process(&self, file: Found) -> Result<Outcome, PipelineError> {
        let name = file.name.clone();
        let source = match self.read(file).await {
            Ok(source) => source,
            Err(error) => {
                self.runner.progress().failed(STAGES[0], &name, &error);
                self.skip_after(0);
                return Ok(Outcome::Failed { name, error });
            }
        };
        let (hash, source) = source;
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(hash.clone()) {
            self.runner.progress().expect_one_less(STAGES[0]);
            self.skip_after(0);
            return Ok(Outcome::Duplicate);
        }
        let mut state = DocumentState::new(&name);
        let worked = self.stages(&name, &hash, source, &mut state).await;
        let outcome = match worked {
            Ok(processed) => Outcome::Done(Box::new(processed)),
            Err(PipelineError::Stage(error)) => {
                let reached = state.stages().len();
                state.failed(STAGES[reached.min(STAGES.len() - 1)], &error);
                self.skip_after(reached);
                Outcome::Failed { name, error }
            }
            Err(store) => return Err(store),
        };
        let key = state_key(&hash)?;
        state.save(&self.batch, &key, &SystemClock, &self.patience).await?;
        Ok(outcome)
    }

    /// The stages behind `reached` are not going to see the document.
    fn skip_after(&self, reached: usize) {
        for stage in STAGES.iter().skip(reached + 1) {
            self.runner.progress().expect_one_less(stage);
        }
    }

    async fn read(&self, file: Found) -> Result<(String, SourceFile), StageError> {
        let options = self.extract.options.clone();
        let read = tokio::task::spawn_blocking(move || {
            let metadata = std::fs::metadata(&file.path).map_err(|error| unreadable(&error))?;
            if !metadata.is_file() {
                return Err(StageError::new("not_a_file", "it is a device or pipe, not a file"));
            }
            // Before a byte is read: a file may be larger than the memory.
            options.check_size(metadata.len()).map_err(|error| stage_error(&error))?;
            let bytes = std::fs::read(&file.path).map_err(|error| unreadable(&error))?;
            Ok((content_hash(&bytes), SourceFile { name: file.name, bytes }))
        });
        read.await.unwrap_or_else(|_| {
            Err(StageError::new("interrupted", "the run ended while it was read").transient())
        })
    }

    async fn stages(
        &self,
        name: &str,
        hash: &str,
        source: SourceFile,
        state: &mut DocumentState,
    ) -> Result<Processed, PipelineError> {
        let found = self.mentions(name, hash, source, state).await?;
        let resolve = Arc::new(ResolveStage);
        let mentions = found.mentions.clone();
        let input = async { Ok(Arc::new((hash.to_owned(), mentions))) };
        let resolved = self.runner.run(&resolve, hash, name, input).await?.value;
        state.done(resolve.name(), &resolve.version());
        let entities = Arc::new(resolved.with_mentions(hash, found.mentions));
        let input = async { Ok(Arc::clone(&entities)) };
        let relationships = self.runner.run(&self.relate, hash, name, input).await?.value;
        state.done(self.relate.name(), &self.relate.version());
        let file = match &self.out {
            Some(folder) => {
                let mut names = self.file_names.lock().unwrap_or_else(PoisonError::into_inner);
                Some(names.claim(folder, name, hash))
            }
            None => None,
        };
        if let Some(path) = &file {
            let draft = DocumentFile::draft(name, found.text, &entities, relationships.clone());
            self.write(draft, path.clone()).await?;
        }
        let mut entities = Arc::unwrap_or_clone(entities);
        // They are most of the memory, and are in the cache and the file.
        entities.mentions = Vec::new();
        entities.links = Vec::new();
        Ok(Processed { name: name.to_owned(), entities, relationships, file })
    }

    /// The document's mentions. Where they are cached, neither text nor chunks are looked at.
    async fn mentions(
        &self,
        name: &str,
        hash: &str,
        source: SourceFile,
        state: &mut DocumentState,
    ) -> Result<ExtractedMentions, PipelineError> {
        let stage = Arc::new(EntitiesStage);
        if let Some(found) = self.runner.find_done(stage.as_ref(), hash).await? {
            let progress = self.runner.progress();
            for skipped in [STAGES[0], STAGES[1]] {
                progress.done(skipped, found.origin, std::time::Duration::ZERO);
            }
            state.done(self.extract.name(), &self.extract.version());
            state.done(self.chunk.name(), &self.chunk.version());
            state.done(stage.name(), &stage.version());
            return Ok(found.value);
        }
        let source = async { Ok(Arc::new(source)) };
        let text = Arc::new(self.runner.run(&self.extract, hash, name, source).await?.value);
        state.done(self.extract.name(), &self.extract.version());
        let input = async { Ok(Arc::clone(&text)) };
        self.runner.run(&self.chunk, hash, name, input).await?;
        state.done(self.chunk.name(), &self.chunk.version());
        let input = async { Ok(Arc::clone(&text)) };
        let found = self.runner.make(&stage, hash, name, input).await?.value;
        state.done(stage.name(), &stage.version());
        Ok(found)
    }

    async fn write(&self, draft: DocumentFile, path: PathBuf) -> Result<(), StageError> {
        let written =
            tokio::task::spawn_blocking(move || draft.write(&path).map_err(|error| (path, error)));
        match written.await {
            Ok(Err((path, error))) => Err(StageError::new(
                "unwritable",
                format!("its results cannot be written to {}: {error}", path.display()),
            )
            .transient()),
            _ => Ok(()),
        }
    }
}

/// The first half of the content's SHA-256, in hex: 128 bits keep any two documents apart.
fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
