//! One document through the stages that concern it alone.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use compartment_core::{Database, SystemClock};
use compartment_pipeline::{
    DocumentState, Origin, Patience, PipelineError, Runner, Stage, StageError,
};

use super::discover::Found;
use super::output::{DocumentFile, FileNames};
use super::project::{state_copy, state_key};
use super::source::read_source;
use crate::model::{ExtractedText, Relationship};
use crate::resolve::DocumentEntities;
use crate::stages::{
    ChunkStage, EntitiesStage, ExtractStage, ExtractedMentions, RelateStage, ResolveStage, STAGES,
    SourceFile,
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
        let path = file.path.clone();
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
        let mut state = DocumentState::new(&name).from_file(path);
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
        // A copy that somebody reads is old now; one that cannot be removed yet is kept in mind.
        let _ = self.runner.cache().remove(&state_copy(&hash)?).await?;
        Ok(outcome)
    }

    /// The stages behind `reached` are not going to see the document.
    fn skip_after(&self, reached: usize) {
        for stage in STAGES.iter().skip(reached + 1) {
            self.runner.progress().expect_one_less(stage);
        }
    }

    /// The file's content and its hash.
    pub(super) async fn read(&self, file: Found) -> Result<(String, SourceFile), StageError> {
        let options = self.extract.options.clone();
        let read = tokio::task::spawn_blocking(move || read_source(&file, &options));
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
        let (entities, relationships) = self.things(name, hash, &found, state).await?;
        let file = match &self.out {
            Some(folder) => {
                let mut names = self.file_names.lock().unwrap_or_else(PoisonError::into_inner);
                Some(names.claim(folder, name, hash))
            }
            None => None,
        };
        if let Some(path) = &file {
            let relationships = relationships.clone();
            let draft = DocumentFile::draft(name, found.text.clone(), &entities, relationships);
            self.write(draft, path.clone()).await?;
        }
        let mut entities = Arc::unwrap_or_clone(entities);
        // They are most of the memory, and are in the cache and the file.
        entities.mentions = Vec::new();
        entities.links = Vec::new();
        Ok(Processed { name: name.to_owned(), entities, relationships, file })
    }

    /// Every result of a document, the text and chunks too, made where the cache lacks it.
    pub(super) async fn results(
        &self,
        name: &str,
        hash: &str,
        source: SourceFile,
    ) -> Result<(), PipelineError> {
        let text = self.text_of(name, hash).read(source).await?;
        let stage = Arc::new(EntitiesStage);
        let found = self.runner.run(&stage, hash, name, async { Ok(text) }).await?.value;
        self.things(name, hash, &found, &mut DocumentState::new(name)).await.map(drop)
    }

    /// The document's mentions. Where they are cached, neither text nor chunks are looked at.
    async fn mentions(
        &self,
        name: &str,
        hash: &str,
        source: SourceFile,
        state: &mut DocumentState,
    ) -> Result<Arc<ExtractedMentions>, PipelineError> {
        let stage = Arc::new(EntitiesStage);
        let text = self.text_of(name, hash);
        let reached = Arc::clone(&text.reached);
        let found = self.runner.run(&stage, hash, name, text.read(source)).await;
        let reached = if found.is_ok() { 2 } else { reached.load(Ordering::Relaxed) };
        let before = [
            (self.extract.name(), self.extract.version()),
            (self.chunk.name(), self.chunk.version()),
        ];
        for (stage, version) in before.iter().take(reached) {
            state.done(stage, version);
        }
        let found = found?;
        if found.origin == Origin::Cached {
            let progress = self.runner.progress();
            for skipped in [STAGES[0], STAGES[1]] {
                progress.done(skipped, found.origin, std::time::Duration::ZERO);
            }
        }
        state.done(stage.name(), &stage.version());
        Ok(found.value)
    }

    fn text_of(&self, name: &str, hash: &str) -> TextOf {
        TextOf {
            runner: self.runner.clone(),
            extract: Arc::clone(&self.extract),
            chunk: Arc::clone(&self.chunk),
            name: name.to_owned(),
            hash: hash.to_owned(),
            reached: Arc::default(),
        }
    }

    /// What the mentions name, and how that belongs together.
    async fn things(
        &self,
        name: &str,
        hash: &str,
        found: &Arc<ExtractedMentions>,
        state: &mut DocumentState,
    ) -> Result<(Arc<DocumentEntities>, Vec<Relationship>), PipelineError> {
        let resolve = Arc::new(ResolveStage);
        let (mentions, id) = (Arc::clone(found), hash.to_owned());
        let input = async move { Ok(Arc::new((id, mentions.mentions.clone()))) };
        let resolved = self.runner.run(&resolve, hash, name, input).await?.value;
        state.done(resolve.name(), &resolve.version());
        let resolved = Arc::unwrap_or_clone(resolved);
        let entities = Arc::new(resolved.with_mentions(hash, found.mentions.clone()));
        let input = Arc::clone(&entities);
        let related = self.runner.run(&self.relate, hash, name, async { Ok(input) }).await?.value;
        state.done(self.relate.name(), &self.relate.version());
        Ok((entities, Arc::unwrap_or_clone(related)))
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

/// The way to a document's text and its chunks, for when its mentions have to be made.
struct TextOf {
    runner: Runner,
    extract: Arc<ExtractStage>,
    chunk: Arc<ChunkStage>,
    name: String,
    hash: String,
    /// How many of the two stages are done.
    reached: Arc<AtomicUsize>,
}

impl TextOf {
    async fn read(self, source: SourceFile) -> Result<Arc<ExtractedText>, PipelineError> {
        let (name, hash) = (self.name.as_str(), self.hash.as_str());
        let source = async { Ok(Arc::new(source)) };
        let text = self.runner.run(&self.extract, hash, name, source).await?.value;
        self.reached.store(1, Ordering::Relaxed);
        let input = Arc::clone(&text);
        self.runner.run(&self.chunk, hash, name, async { Ok(input) }).await?;
        self.reached.store(2, Ordering::Relaxed);
        Ok(text)
    }
}
