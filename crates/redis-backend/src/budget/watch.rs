//! Looks every now and then at what other programs have written into a database with a budget.

use std::sync::Arc;

use compartment_core::Clock;

use crate::background;
use crate::budget::EVERY;
use crate::link::Link;

/// Looks for as long as `link` is used.
pub(crate) fn watch(link: &Arc<Link>, clock: Arc<dyn Clock>) {
    if link.budget.is_none() {
        return;
    }
    let link = Arc::downgrade(link);
    // Not on the runtime that opened the database, which may end before it.
    let Some(runtime) = background::runtime() else { return };
    runtime.spawn(async move {
        loop {
            // The first look is not at once: a command that opens a database only to show it evicts
            // nothing.
            clock.sleep(EVERY).await;
            let Some(link) = link.upgrade() else { return };
            let Some(budget) = &link.budget else { return };
            if !budget.look(&link).await {
                return;
            }
        }
    });
}
