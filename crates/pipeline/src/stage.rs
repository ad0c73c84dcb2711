//! The traits of stages.

use async_trait::async_trait;
use compartment_core::KeyTemplate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StageError;

/// One step of work on one document. Its result is cached under a key made of the document's
/// content hash and the stage's version, so the same content is worked on once.
pub trait Stage: Send + Sync + 'static {
    /// What it works on.
    type Input: Send + Sync + 'static;
    /// What it makes.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Its name in progress, metrics and states.
    fn name(&self) -> &'static str;

    /// What stands in the cache key beside the content hash: a version, raised whenever the same
    /// input would give another output, and whatever settings change the output.
    fn version(&self) -> String;

    /// The template of its results, with two placeholders: content hash and version.
    fn template(&self) -> KeyTemplate<Self::Output>;

    /// Does the work. Called off the async runtime: it may block and use the CPU.
    ///
    /// # Errors
    /// The document's own failure.
    fn run(&self, input: &Self::Input) -> Result<Self::Output, StageError>;
}

/// A stage that calls another service, such as OCR or a language model. Its answer is stored like any
/// result, so that no document is sent twice; [`crate::StageOptions::rate_limit`] limits the calls of
/// all workers.
#[async_trait]
pub trait ExternalStage: Send + Sync + 'static {
    /// What it asks with.
    type Input: Send + Sync + 'static;
    /// The answer.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Its name in progress, metrics and the ledger.
    fn name(&self) -> &'static str;

    /// As [`Stage::version`]: the model that is asked belongs into it.
    fn version(&self) -> String;

    /// As [`Stage::template`].
    fn template(&self) -> KeyTemplate<Self::Output>;

    /// Asks. It must not block.
    ///
    /// # Errors
    /// The document's own failure; a transient one where the other side may answer later.
    async fn call(&self, input: &Self::Input) -> Result<Self::Output, StageError>;
}
