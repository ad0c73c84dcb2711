//! Regularly measures the writes of other programs to a database with a budget.

use std::sync::Arc;

use compartment_core::Clock;

use crate::background;
use crate::budget::EVERY;
use crate::link::Link;

/// Measures as long as `link` is used.
pub(crate) fn watch(link: &Arc<Link>, clock: Arc<dyn Clock>) {
    if link.budget.is_none() {
        return;
    }
    let link = Arc::downgrade(link);
    // Not on the runtime that opened the database, which may end earlier.
    let Some(runtime) = background::runtime() else { return };
    runtime.spawn(async move {
        loop {
            // The first measurement is delayed, so that a command that only shows a database evicts nothing.
            clock.sleep(EVERY).await;
            let Some(link) = link.upgrade() else { return };
            let Some(budget) = &link.budget else { return };
            if !budget.look(&link).await {
                return;
            }
        }
    });
}
