//! Work that goes on after its caller has gone, so that a program can wait for it before it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::poll_fn;

/// Counts what a database still has to do that nobody waits for: a release of a lock whose guard was
/// dropped, a removal whose caller gave up. [`crate::Databases::close`] waits for all of it.
///
/// Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    waiting: Vec<Waker>,
}

/// One piece of work: counted until it is dropped.
#[derive(Debug)]
#[must_use = "the work counts as done when this is dropped"]
pub struct UnfinishedWork {
    of: Unfinished,
}

impl Unfinished {
    /// Begins a piece of work; keep the answer until it is done.
    pub fn begin(&self) -> UnfinishedWork {
        self.lock().count += 1;
        UnfinishedWork { of: self.clone() }
    }

    /// How much is not done yet.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// Ready when nothing is left to do.
    pub async fn done(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.count == 0 {
                return Poll::Ready(());
            }
            let waker = context.waker();
            if !state.waiting.iter().any(|known| known.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnfinishedWork {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.of.lock();
            state.count -= 1;
            if state.count == 0 { std::mem::take(&mut state.waiting) } else { Vec::new() }
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_done_when_the_last_piece_is_dropped() {
        let unfinished = Unfinished::default();
        unfinished.done().await;
        let (first, second) = (unfinished.begin(), unfinished.clone().begin());
        let waiter = tokio::spawn({
            let unfinished = unfinished.clone();
            async move { unfinished.done().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        assert_eq!(unfinished.count(), 1);
        drop(second);
        waiter.await.unwrap();
    }
}
