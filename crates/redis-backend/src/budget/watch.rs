//! Regularly measures the writes of other programs to a database with a budget.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Clock, MonotonicInstant};

use crate::background;
use crate::link::Link;

/// How often writes of other programs are measured.
const EVERY: Duration = Duration::from_secs(10);

/// Measures as long as `link` is used; with `poll`, it reads the number of keys that often, and measures as soon as
/// the budget is nearly used.
pub(crate) fn watch(link: &Arc<Link>, clock: Arc<dyn Clock>, poll: Option<Duration>) {
    if link.budget.is_none() {
        return;
    }
    let link = Arc::downgrade(link);
    // Not on the runtime that opened the database, which may end earlier.
    let Some(runtime) = background::runtime() else { return };
    runtime.spawn(async move {
        // The first measurement is delayed, so that a command that only shows a database evicts nothing.
        let usual = poll.unwrap_or(EVERY);
        let (mut pause, mut measured) = (usual, None::<MonotonicInstant>);
        loop {
            clock.sleep(pause).await;
            let Some(link) = link.upgrade() else { return };
            let Some(budget) = &link.budget else { return };
            let now = clock.monotonic();
            let is_due = poll.is_none() || measured.is_none_or(|last| now.since(last) >= EVERY);
            let is_full = if is_due {
                measured = Some(now);
                budget.look(&link).await.then_some(false)
            } else {
                budget.glance(&link).await
            };
            // A database above its budget is looked at again at once.
            match is_full {
                Some(is_full) => pause = if is_full { Duration::ZERO } else { usual },
                None => return,
            }
        }
    });
}
