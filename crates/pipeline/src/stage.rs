//! What a stage is.

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
