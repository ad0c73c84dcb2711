//! Regularly measures the writes of other programs to a database with a budget.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Clock, MonotonicInstant};

use crate::background;
use crate::budget::Budget;
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
        let mut pause = poll.unwrap_or(EVERY);
        let mut measured = None;
        loop {
            clock.sleep(pause).await;
            let Some(link) = link.upgrade() else { return };
            let Some(budget) = &link.budget else { return };
            let goes_on = match poll {
                None => budget.look(&link).await,
                Some(poll) => {
                    pause = poll;
                    glance(budget, &link, clock.monotonic(), &mut measured, &mut pause).await
                }
            };
            if !goes_on {
                return;
            }
        }
    });
}

/// One look at the number of keys. It measures if that is due, or if the budget is nearly used; a database above its
/// budget is looked at again at once.
async fn glance(
    budget: &Budget,
    link: &Link,
    now: MonotonicInstant,
    measured: &mut Option<MonotonicInstant>,
    pause: &mut Duration,
) -> bool {
    if measured.is_none_or(|measured| now.since(measured) >= EVERY) {
        *measured = Some(now);
        return budget.look(link).await;
    }
    match budget.glance(link).await {
        None => false,
        Some(is_full) => {
            if is_full {
                *pause = Duration::ZERO;
            }
            true
        }
    }
}
