//! Work that may have ended a worker before: it is done with nothing beside it, so that only it counts another loss.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// The number of expired leases from which on work is suspected. One is usual: a worker was killed, with all that it
/// had. At a second one the work was claimed alone, but other work may have run beside it.
const SUSPECTED_FROM: u32 = 2;

/// Whether work with this many expired leases is done alone.
pub(super) fn is_suspect(lost: u32) -> bool {
    lost >= SUSPECTED_FROM
}

/// Keeps suspects apart from all other work of the process.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Read by claims in progress, written by a suspect.
    beside: Arc<RwLock<()>>,
    /// Held by the suspect that is done, or waits for the work that was begun before.
    turn: Arc<Mutex<()>>,
}

/// Held from before a claim until its work is done.
#[derive(Debug)]
pub(super) struct Beside(
    #[expect(dead_code, reason = "held, never read")] OwnedRwLockReadGuard<()>,
);

/// Held while a suspect is worked on.
#[derive(Debug)]
#[expect(dead_code, reason = "held, never read")]
pub(super) struct Alone {
    turn: OwnedMutexGuard<()>,
    all: OwnedRwLockWriteGuard<()>,
}

/// How claimed work may be done.
#[derive(Debug)]
#[expect(dead_code, reason = "what is held is never read")]
pub(super) enum Way {
    /// Beside other work.
    Beside(Beside),
    /// With nothing beside it.
    Alone(Alone),
    /// Another suspect may end this process: it is handed back.
    NotNow(Beside),
}

impl Suspects {
    /// Waits until no suspect is worked on or waits. Take it before a claim: what is claimed while a suspect ends the
    /// process would be suspected too.
    pub(super) async fn beside(&self) -> Beside {
        Beside(Arc::clone(&self.beside).read_owned().await)
    }

    /// The way for what was claimed with `own`. A suspect waits until all other claims are worked off.
    pub(super) async fn way(&self, is_suspect: bool, own: Beside) -> Way {
        if !is_suspect {
            return Way::Beside(own);
        }
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return Way::NotNow(own) };
        drop(own);
        Way::Alone(Alone { turn, all: Arc::clone(&self.beside).write_owned().await })
    }

    /// Waits until the suspect that has the turn is done.
    pub(super) async fn until_done(&self) {
        drop(self.turn.lock().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_suspect_waits_for_work_that_was_begun_and_nothing_begins_beside_it() {
        let suspects = Arc::new(Suspects::default());
        let (begun, own) = (suspects.beside().await, suspects.beside().await);
        let waiting = tokio::spawn({
            let suspects = Arc::clone(&suspects);
            async move { suspects.way(true, own).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let Way::NotNow(begun) = suspects.way(true, begun).await else {
            panic!("one at a time");
        };
        let next = tokio::spawn({
            let suspects = Arc::clone(&suspects);
            async move { suspects.beside().await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "nothing is claimed while a suspect waits");
        drop(begun);
        let alone = waiting.await.unwrap();
        assert!(matches!(alone, Way::Alone(_)));
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(alone);
        next.await.unwrap();
        suspects.until_done().await;
    }
}
