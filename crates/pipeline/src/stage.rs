//! The traits of stages.

use async_trait::async_trait;
use compartment_core::KeyTemplate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StageError;

/// One step of work on one document. Its result is cached under a key made of the document's content hash and the
/// stage's version, so each content is processed once.
pub trait Stage: Send + Sync + 'static {
    /// The input of the stage.
    type Input: Send + Sync + 'static;
    /// The result of the stage.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The stage's name in progress, metrics and states.
    fn name(&self) -> &'static str;

    /// The part of the cache key beside the content hash: a version, to be changed whenever a given input would yield
    /// another output, and any settings that change the output.
    fn version(&self) -> String;

    /// The template of the results' keys, with two placeholders: content hash and version.
    fn template(&self) -> KeyTemplate<Self::Output>;

    /// Does the work. It is called off the async runtime, so it may block and use the CPU.
    ///
    /// # Errors
    /// The document's own failure.
    fn run(&self, input: &Self::Input) -> Result<Self::Output, StageError>;
}

/// A stage that calls another service, such as OCR or a language model. Its answer is stored like any result, so that
/// no document is sent twice. [`crate::StageOptions::rate_limit`] limits the calls of all workers together.
#[async_trait]
pub trait ExternalStage: Send + Sync + 'static {
    /// The input of the call.
    type Input: Send + Sync + 'static;
    /// The answer.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The stage's name in progress, metrics and the ledger.
    fn name(&self) -> &'static str;

    /// As [`Stage::version`]. Include the name of the model.
    fn version(&self) -> String;

    /// As [`Stage::template`].
    fn template(&self) -> KeyTemplate<Self::Output>;

    /// Calls the service. It must not block.
    ///
    /// # Errors
    /// The document's own failure; a transient one if the service may answer later.
    async fn call(&self, input: &Self::Input) -> Result<Self::Output, StageError>;
}
