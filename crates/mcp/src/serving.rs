//! The deployment that is served, as tools and resources reach it.

use compartment_admin::stats::{Stats, StatsOptions};
use compartment_operations::changes::Changes;
use compartment_operations::{Fleet, Operations, StatsReader};
use tokio::sync::Mutex;

use crate::answer::Answer;
use crate::reports::Reports;
use crate::secrets::Secrets;

/// One deployment with its plans, its last reports, and the figures of the last look.
#[derive(Debug)]
pub(crate) struct Serving {
    changes: Changes,
    stats: Mutex<StatsReader>,
    reports: Reports,
    secrets: Secrets,
}

impl Serving {
    pub(crate) fn new(changes: Changes) -> Self {
        let operations = changes.operations();
        Self {
            stats: Mutex::new(StatsReader::new(operations)),
            reports: Reports::default(),
            secrets: Secrets::of(operations),
            changes,
        }
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn operations(&self) -> &Operations {
        self.changes.operations()
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// A look at databases and servers; estimates are kept from look to look.
    pub(crate) async fn look(&self) -> Answer<(Stats, Fleet)> {
        let mut reader = self.stats.lock().await;
        Ok(reader.next(StatsOptions::default()).await?)
    }
}
