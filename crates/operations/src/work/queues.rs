//! The queues of single tasks: one for each stage.

use compartment::{Database, Databases, ErrorKind};
use compartment_documents::IngestOptions;
use compartment_documents::batch::pipeline;
use serde::{Deserialize, Serialize};

use crate::{OperationsError, Result};

/// How many tasks of a stage are in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueSummary {
    /// The stage.
    pub stage: String,
    /// The queue's name.
    pub queue: String,
    /// Tasks that can be claimed.
    pub waiting: u64,
    /// Tasks that can be claimed later.
    pub delayed: u64,
    /// Tasks in progress.
    pub claimed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Whether claims return nothing.
    pub is_paused: bool,
}

/// The queue of one stage, or of every stage, each with its stage.
///
/// # Errors
/// [`OperationsError::Argument`] for a stage that the pipeline does not have.
pub fn queues(databases: &Databases, stage: Option<&str>) -> Result<Vec<(String, String)>> {
    let pipeline = pipeline(databases, &IngestOptions::default())?;
    let stages: Vec<String> = pipeline.stages().map(str::to_owned).collect();
    if let Some(stage) = stage
        && !stages.iter().any(|known| known == stage)
    {
        let what = format!("there is no stage {stage:?}; there are {}", stages.join(", "));
        return Err(OperationsError::Argument(what));
    }
    let all = stages.into_iter().enumerate();
    let wanted = all.filter(|(_, known)| stage.is_none_or(|stage| stage == known));
    let queues = wanted.filter_map(|(index, known)| Some((known, pipeline.queue_of(index)?)));
    Ok(queues.collect())
}

/// The queues that anything was ever submitted to.
pub(crate) async fn read_queues(
    database: &Database,
    queues: &[(String, String)],
) -> Result<Vec<QueueSummary>> {
    let mut found = Vec::new();
    for (stage, queue) in queues {
        let counts = match database.queue().counts(queue).await {
            Ok(counts) => counts,
            Err(error) if error.kind() == ErrorKind::Unknown => continue,
            Err(error) => return Err(error.into()),
        };
        found.push(QueueSummary {
            stage: stage.clone(),
            queue: queue.clone(),
            waiting: counts.waiting,
            delayed: counts.delayed,
            claimed: counts.claimed,
            dead: counts.dead,
            is_paused: counts.is_paused,
        });
    }
    Ok(found)
}
