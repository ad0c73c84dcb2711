//! The figures of databases and servers from look to look.

use std::sync::Arc;

use compartment_admin::Deployment;
use compartment_admin::stats::{Past, Stats, StatsOptions, stats};

use crate::kept::Kept;
use crate::{Fleet, Operations, Result};

/// Reads figures again and again; rates and growth are those between two looks.
#[derive(Debug)]
pub struct StatsReader {
    operations: Operations,
    /// The file, and the figures of the last look; `None` before the first.
    kept: Option<(Kept, Option<Past>)>,
    problem: Option<String>,
}

impl StatsReader {
    /// A reader that begins with the figures that were kept by the last one.
    #[must_use]
    pub fn new(operations: &Operations) -> Self {
        Self { operations: operations.clone(), kept: None, problem: None }
    }

    /// The next look. A server that is away is part of it, and is tried again by the next.
    ///
    /// # Errors
    /// [`crate::OperationsError::Configuration`] for a map without a server.
    pub async fn next(&mut self, options: StatsOptions) -> Result<(Stats, Fleet)> {
        let deployment = self.operations.deployment().await?;
        let found = self.servers(&deployment, options).await;
        let fleet = Box::pin(Fleet::read(&self.operations)).await;
        Ok((found, fleet))
    }

    /// Databases and servers alone.
    pub(crate) async fn servers(
        &mut self,
        deployment: &Arc<Deployment>,
        options: StatsOptions,
    ) -> Stats {
        let (kept, past) = self.kept.get_or_insert_with(|| {
            let kept = Kept::of(self.operations.options().state_folder.as_deref(), deployment);
            let past = kept.read();
            (kept, past)
        });
        let (found, now) = Box::pin(stats(deployment, past.as_ref(), options)).await;
        self.problem = kept.write(&now);
        *past = Some(now);
        found
    }

    /// Why the figures of the last look could not be kept for another process, if they could not.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}
