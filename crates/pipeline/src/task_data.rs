//! A single task: one stage, with the stages it needs, for one document.

use compartment_core::backend::is_name;
use compartment_core::{Error, ErrorKind, MAX_ENTRY, NewTask, Result};
use serde::{Deserialize, Serialize};

use crate::{Pipeline, TraceContext};

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
    /// The trace that the task belongs to; [`Pipeline::task`] sets that of the current span where there is none.
    #[serde(default, skip_serializing_if = "TraceContext::is_empty")]
    pub trace: TraceContext,
}

impl TaskData {
    /// A stage of any version for the document that `entry` names.
    #[must_use]
    pub fn new(stage: impl Into<String>, entry: impl Into<String>) -> Self {
        Self {
            stage: stage.into(),
            version: None,
            entry: entry.into(),
            trace: TraceContext::default(),
        }
    }

    /// Reads the data of a task, which anybody with access to the queue may have submitted.
    pub(crate) fn read(payload: &[u8]) -> std::result::Result<Self, String> {
        if payload.len() > MAX_PAYLOAD {
            return Err(format!("it has more than {MAX_PAYLOAD} bytes"));
        }
        let data: Self = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        let mut names = std::iter::once(&data.stage).chain(&data.version);
        match names.all(|name| is_name(name)) {
            true => Ok(data),
            false => Err("a name in it is empty, too long, or has control characters".to_owned()),
        }
    }
}

/// Bytes of a task's data that are read: an entry of the greatest length, whose characters JSON may escape.
const MAX_PAYLOAD: usize = 16 * MAX_ENTRY;

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
        let mut data = data.clone();
        if data.trace.is_empty() {
            data.trace = TraceContext::current();
        }
        let payload = serde_json::to_vec(&data)
            .map_err(|error| Error::new(ErrorKind::Encode, "submit task", error.to_string()))?;
        Ok((queue, NewTask::new(payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_task_is_checked() {
        let read = |data: &TaskData| TaskData::read(&serde_json::to_vec(data).unwrap());
        let mut data = TaskData::new("resolve", "/in/a.txt");
        data.version = Some("2".to_owned());
        assert_eq!(read(&data).as_ref(), Ok(&data));
        for stage in ["", "a\n", &"s".repeat(256)] {
            assert!(read(&TaskData::new(stage, "x")).is_err(), "{stage:?}");
        }
        data.version = Some("\u{1b}[31m".to_owned());
        assert!(read(&data).is_err());
        assert!(read(&TaskData::new("resolve", "x".repeat(MAX_PAYLOAD))).is_err());
        assert!(TaskData::read(b"{").is_err());
    }
}
