//! The workers.

use compartment::clock::{Clock, SystemClock};
use compartment::pipeline::{WorkerState, workers};
use serde::{Deserialize, Serialize};

use crate::{Operations, Result};

/// A worker as it last wrote its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerSummary {
    /// Its state.
    #[serde(flatten)]
    pub state: WorkerState,
    /// It has missed three heartbeats.
    pub is_gone: bool,
}

impl Operations {
    /// The workers, by id.
    ///
    /// # Errors
    /// Those of [`Operations::batch_database`], and the store's.
    pub async fn workers(&self) -> Result<Vec<WorkerSummary>> {
        let states = workers(&self.batch_database().await?).await?;
        let now = SystemClock.now();
        let summary = |state: WorkerState| WorkerSummary { is_gone: state.is_gone(now), state };
        Ok(states.into_iter().map(summary).collect())
    }
}
