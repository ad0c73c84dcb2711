//! What is known of the deployment: the look that is shown, what earlier ones told, and what was read beside them.

use std::collections::VecDeque;
use std::sync::Arc;

use compartment_operations::Look;
use compartment_operations::alerts::Alert;
use compartment_operations::work::Work;

use crate::answers::{Answered, BatchFigures, ChangeLine, Letter};
use crate::history::Known;

/// Alerts that are kept.
const MAX_ALERTS: usize = 500;

/// What is known of the deployment.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) now_ms: u64,
    pub(crate) look: Option<Arc<Look>>,
    pub(crate) known: Known,
    /// The batch whose page is open, with its name.
    pub(crate) batch: Option<(String, Answered<BatchFigures>)>,
    pub(crate) letters: Option<Answered<Vec<Letter>>>,
    /// The newest first.
    pub(crate) changes: Option<Answered<Vec<ChangeLine>>>,
    /// The newest first.
    pub(crate) alerts: VecDeque<Alert>,
}

impl Facts {
    /// Batches, workers and queues, and whether they are of an earlier look, because they cannot be read now.
    pub(crate) fn work(&self) -> Option<(&Work, bool)> {
        let now = self.look.as_ref()?.work.as_ref()?;
        let last = self.known.work.as_ref().and_then(|look| look.work.as_ref());
        Some(match last.filter(|_| now.problem.is_some()) {
            Some(last) => (last, true),
            None => (now, false),
        })
    }

    pub(crate) fn note_alerts(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            self.alerts.push_front(alert);
        }
        self.alerts.truncate(MAX_ALERTS);
    }
}
