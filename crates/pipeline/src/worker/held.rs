//! Claims of a worker, renewed while it works on them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{Claim, Clock, Database, FencingToken};

/// A claim on a batch or on a single task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Claimed {
    Batch(String, FencingToken),
    Task(String, Claim),
}

/// All claims of a worker. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    claims: Arc<Mutex<HashMap<Claimed, Arc<AtomicBool>>>>,
}

/// A claim that is renewed until this is dropped.
#[derive(Debug)]
pub(super) struct Holding {
    held: Held,
    claimed: Claimed,
    lost: Arc<AtomicBool>,
}

impl Held {
    pub(super) fn batch(&self, batch: &str, token: FencingToken) -> Holding {
        self.hold(Claimed::Batch(batch.to_owned(), token))
    }

    pub(super) fn task(&self, queue: &str, claim: Claim) -> Holding {
        self.hold(Claimed::Task(queue.to_owned(), claim))
    }

    fn hold(&self, claimed: Claimed) -> Holding {
        let lost = Arc::<AtomicBool>::default();
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.insert(claimed.clone(), Arc::clone(&lost));
        Holding { held: self.clone(), claimed, lost }
    }

    fn all(&self) -> Vec<(Claimed, Arc<AtomicBool>)> {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.iter().map(|(claimed, lost)| (claimed.clone(), Arc::clone(lost))).collect()
    }

    /// Renews every claim each third of the lease, and never returns. It keeps trying while the server is
    /// unavailable: finished work counts even if the lease has expired.
    pub(super) async fn renew(&self, batch: &Database, lease: Duration, clock: &dyn Clock) {
        loop {
            clock.sleep(lease / 3).await;
            for (claimed, lost) in self.all() {
                let renewed = match &claimed {
                    Claimed::Batch(name, token) => batch.batch().renew(name, *token, lease).await,
                    Claimed::Task(queue, claim) => {
                        let renewed = batch.queue().renew(queue, &[*claim], lease).await;
                        renewed.map(|each| each.first().copied().unwrap_or(false))
                    }
                };
                match renewed {
                    Ok(true) => {}
                    Ok(false) => lost.store(true, Ordering::Relaxed),
                    Err(error) => tracing::warn!(%error, "a lease could not be renewed yet"),
                }
            }
        }
    }
}

impl Holding {
    /// Whether the lease has expired, so that another worker may have claimed the work.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut claims = self.held.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.remove(&self.claimed);
    }
}
