//! A single task: one stage, with the stages it needs, for one document.

use compartment_core::{Error, ErrorKind, NewTask, Result};
use serde::{Deserialize, Serialize};

use crate::Pipeline;

/// The data of a single task: JSON in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskData {
    /// The stage.
    pub stage: String,
    /// The required version of the stage; `None` accepts any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The entry of the document, as in a batch.
    pub entry: String,
}

impl TaskData {
    /// A stage of any version for the document that `entry` names.
    #[must_use]
    pub fn new(stage: impl Into<String>, entry: impl Into<String>) -> Self {
        Self { stage: stage.into(), version: None, entry: entry.into() }
    }
}

impl Pipeline {
    /// The queue of the stage that `data` names, and the task to submit to it.
    ///
    /// Set the task's class, delay, group or deduplication key before it is submitted. A task with a
    /// deduplication key can simply be submitted again when it is unknown whether it was accepted.
    ///
    /// # Example
    /// ```
    /// use compartment_core::{Database, QueueStoreExt, Result, Submitted, TaskClass};
    /// use compartment_pipeline::{Pipeline, TaskData};
    ///
    /// async fn resolve_at_once(batch: &Database, pipeline: &Pipeline) -> Result<Submitted> {
    ///     let (queue, task) = pipeline.task(&TaskData::new("resolve", "opinion.txt"))?;
    ///     batch.queue().submit_one(&queue, task.class(TaskClass::High)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] for a stage that the pipeline lacks; [`ErrorKind::Encode`] for data that
    /// cannot be written as JSON.
    pub fn task(&self, data: &TaskData) -> Result<(String, NewTask)> {
        let queue = self.index_of(&data.stage).and_then(|index| self.queue_of(index));
        let queue = queue.ok_or_else(|| {
            let known: Vec<&str> = self.stages().collect();
            let what = format!(
                "pipeline {:?} has no stage {:?}; it has {}",
                self.name(),
                data.stage,
                known.join(", ")
            );
            Error::new(ErrorKind::Unknown, "submit task", what)
        })?;
        let payload = serde_json::to_vec(data)
            .map_err(|error| Error::new(ErrorKind::Encode, "submit task", error.to_string()))?;
        Ok((queue, NewTask::new(payload)))
    }
}
