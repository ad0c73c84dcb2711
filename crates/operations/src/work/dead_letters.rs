//! Dead letters: single tasks that failed for good.

use compartment::queue::DeadTask;
use compartment::{Databases, ErrorKind};
use serde::Serialize;

use super::queues::queues;
use crate::{Operations, Result};

/// Dead letters read in one request.
const PAGE: u32 = 500;

/// Which dead letters.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeadLetterQuery {
    /// Only those of this stage.
    pub stage: Option<String>,
    /// Only those whose error contains this text, ignoring case.
    pub error: Option<String>,
    /// Only those whose error begins with this text.
    pub error_begins: Option<String>,
    /// Only those with these numbers; any if empty.
    pub ids: Vec<u64>,
    /// At most so many, behind the first `offset`.
    pub limit: u64,
    /// How many of the matching ones are skipped.
    pub offset: u64,
}

impl DeadLetterQuery {
    fn fits(&self, task: &DeadTask) -> bool {
        let contains = |text: &String| task.error.to_lowercase().contains(&text.to_lowercase());
        let begins = |text: &String| task.error.starts_with(text.as_str());
        (self.ids.is_empty() || self.ids.contains(&task.id.number()))
            && self.error.as_ref().is_none_or(contains)
            && self.error_begins.as_ref().is_none_or(begins)
    }
}

/// A dead letter, its stage and its queue.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The stage.
    pub stage: String,
    /// The queue.
    pub queue: String,
    /// The task's id, as it is shown.
    #[serde(rename = "task")]
    pub id: compartment::queue::TaskId,
    /// How often it was tried.
    pub attempts: u32,
    /// How often its worker disappeared.
    pub lost: u32,
    /// Its priority class.
    pub class: compartment::queue::TaskClass,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// When it died, in milliseconds since 1970.
    pub died_ms: u64,
    /// Why.
    pub error: String,
    /// Its data; bytes that are not UTF-8 are replaced.
    pub data: String,
}

impl DeadLetter {
    fn of(stage: &str, queue: &str, task: DeadTask) -> Self {
        Self {
            stage: stage.to_owned(),
            queue: queue.to_owned(),
            id: task.id,
            attempts: task.attempts,
            lost: task.lost,
            class: task.class,
            submitted_ms: task.submitted_at.as_millis(),
            died_ms: task.died_at.as_millis(),
            error: task.error,
            data: String::from_utf8_lossy(&task.payload).into_owned(),
        }
    }
}

impl Operations {
    /// The dead letters that a query selects; within a queue the earliest first.
    ///
    /// # Errors
    /// [`crate::OperationsError::Argument`] for a stage that the pipeline does not have; those of
    /// [`Operations::batch_database`], and the store's.
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        self.batch_database().await?;
        read(&self.databases().await?, query).await
    }
}

/// The dead letters that a query selects.
pub(crate) async fn read(
    databases: &Databases,
    query: &DeadLetterQuery,
) -> Result<Vec<DeadLetter>> {
    let store = databases.role(compartment::database_map::Role::Batch)?.queue();
    let (mut letters, mut to_skip) = (Vec::new(), query.offset);
    for (stage, queue) in queues(databases, query.stage.as_deref())? {
        let mut read = 0;
        while (letters.len() as u64) < query.limit {
            let page = match store.dead(&queue, read, PAGE).await {
                // Nothing was ever submitted to this queue.
                Err(error) if error.kind() == ErrorKind::Unknown => break,
                page => page?,
            };
            let found = page.len();
            read += found as u64;
            for task in page.into_iter().filter(|task| query.fits(task)) {
                match to_skip {
                    0 => letters.push(DeadLetter::of(&stage, &queue, task)),
                    _ => to_skip -= 1,
                }
            }
            if found < PAGE as usize {
                break;
            }
        }
    }
    letters.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    Ok(letters)
}
