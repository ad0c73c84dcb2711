//! Counts work that continues after its caller is gone, so that a program can wait for it before it exits.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::poll_fn;

/// Counts the background work of a database, for example the release of a lock whose guard was dropped, or a removal
/// whose caller gave up. [`crate::Databases::close`] waits for all of it.
///
/// Such work runs in a task, and a task ends with its runtime. Work that is stored elsewhere and can be resumed
/// begins with [`Unfinished::begin_resumable`]: it continues in the runtime that waits for it.
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
    /// The closures that resume work, by its number.
    resumable: Vec<(u64, Resume)>,
    last_number: u64,
    /// How often a task ended before its work was finished.
    stalls: u64,
}

#[derive(Clone)]
struct Resume(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resume")
    }
}

/// One piece of work, counted until this is dropped.
#[derive(Debug)]
#[must_use = "the work counts as done when this is dropped"]
pub struct UnfinishedWork {
    of: Unfinished,
    number: Option<u64>,
}

impl Unfinished {
    /// Begins a piece of work; keep the returned guard until it is finished.
    pub fn begin(&self) -> UnfinishedWork {
        self.lock().count += 1;
        UnfinishedWork { of: self.clone(), number: None }
    }

    /// Begins a piece of work that outlives its task. A caller that begins to wait calls `resume`, which continues
    /// the work in the caller's runtime; after [`Unfinished::stalled`] every waiter does so. `resume` and the values
    /// it owns are kept until the work is finished.
    pub fn begin_resumable(&self, resume: impl Fn() + Send + Sync + 'static) -> UnfinishedWork {
        let mut state = self.lock();
        state.count += 1;
        state.last_number += 1;
        let number = state.last_number;
        state.resumable.push((number, Resume(Arc::new(resume))));
        UnfinishedWork { of: self.clone(), number: Some(number) }
    }

    /// Reports that a task ended with its runtime before its work was finished: waiters resume the work.
    pub fn stalled(&self) {
        let waiting = {
            let mut state = self.lock();
            state.stalls += 1;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The number of unfinished pieces of work.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// Resolves when all work is finished. Resumable work continues in this runtime.
    pub async fn done(&self) {
        let mut seen = None;
        poll_fn(|context| {
            let resumable = {
                let mut state = self.lock();
                if state.count == 0 {
                    return Poll::Ready(());
                }
                let waker = context.waker();
                if !state.waiting.iter().any(|known| known.will_wake(waker)) {
                    state.waiting.push(waker.clone());
                }
                if seen.replace(state.stalls) == Some(state.stalls) {
                    return Poll::Pending;
                }
                state.resumable.clone()
            };
            // After the lock is released, because the work may finish at once.
            resumable.into_iter().for_each(|(_, resume)| (resume.0)());
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
        // Dropped after the lock is released, because it may own other work.
        let (waiting, _resumed) = {
            let mut state = self.of.lock();
            state.count -= 1;
            let at = state.resumable.iter().position(|(number, _)| Some(*number) == self.number);
            let resumed = at.map(|at| state.resumable.swap_remove(at));
            let all_done = state.count == 0;
            let waiting = if all_done { std::mem::take(&mut state.waiting) } else { Vec::new() };
            (waiting, resumed)
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

    #[tokio::test]
    async fn who_waits_has_the_work_go_on_at_first_and_whenever_it_stalls() {
        let (unfinished, resumed) = (Unfinished::default(), Arc::new(Mutex::new(0)));
        let work = unfinished.begin_resumable({
            let resumed = Arc::clone(&resumed);
            move || *resumed.lock().unwrap() += 1
        });
        unfinished.stalled();
        assert_eq!(*resumed.lock().unwrap(), 0, "nobody waits");
        let waiter = tokio::spawn({
            let unfinished = unfinished.clone();
            async move { unfinished.done().await }
        });
        tokio::task::yield_now().await;
        assert_eq!(*resumed.lock().unwrap(), 1);
        unfinished.stalled();
        tokio::task::yield_now().await;
        assert_eq!(*resumed.lock().unwrap(), 2);
        drop(work);
        waiter.await.unwrap();
        assert_eq!(Arc::strong_count(&resumed), 1, "nothing of it is kept");
    }

    #[tokio::test]
    async fn work_that_is_done_when_it_is_resumed_is_not_waited_for() {
        let (unfinished, kept) = (Unfinished::default(), Arc::new(Mutex::new(None)));
        let work = unfinished.begin_resumable({
            let kept = Arc::clone(&kept);
            move || drop(kept.lock().unwrap().take())
        });
        *kept.lock().unwrap() = Some(work);
        unfinished.done().await;
        assert_eq!(unfinished.count(), 0);
    }
}
