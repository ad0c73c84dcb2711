//! The graph of loads that wait for each other, so that a load that would wait for itself fails.
//!
//! A loader may read other keys through the cache, whose loaders may read further ones. Each load is a separate task
//! that knows its number. Before it waits for another load, the waits of that load are followed; if they lead back,
//! it would wait forever. Waits in tasks that a loader spawns are not known here, and end with the policy's hard
//! time-out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

tokio::task_local! {
    /// The loads that this task runs.
    static LOADS: Arc<[u64]>;
}

/// For every waiting load, the loads it waits for. All caches of the process share it, because a loader of one may
/// read from another.
static WAITING: LazyLock<Mutex<HashMap<u64, Vec<u64>>>> = LazyLock::new(Mutex::default);

/// A new number for each load.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Runs `work` as the task of these loads.
pub(crate) async fn within<F: Future>(loads: Arc<[u64]>, work: F) -> F::Output {
    LOADS.scope(loads, work).await
}

/// A registered wait, until this is dropped.
#[derive(Debug)]
#[must_use = "the wait ends when this is dropped"]
pub(crate) struct Wait {
    waiting: Option<(Arc<[u64]>, u64)>,
}

/// The wait would be circular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circle;

/// Registers that the loads of this task wait for `load`, unless that would be circular.
pub(crate) fn wait_for(load: u64) -> Result<Wait, Circle> {
    let Ok(loads) = LOADS.try_with(Arc::clone) else { return Ok(Wait { waiting: None }) };
    let mut waiting = lock();
    if leads_back(&waiting, load, &loads) {
        return Err(Circle);
    }
    for own in loads.iter() {
        waiting.entry(*own).or_default().push(load);
    }
    drop(waiting);
    Ok(Wait { waiting: Some((loads, load)) })
}

/// Whether `load` is one of `own`, or waits for one of them, directly or indirectly.
fn leads_back(waiting: &HashMap<u64, Vec<u64>>, load: u64, own: &[u64]) -> bool {
    let mut seen = vec![load];
    let mut at = 0;
    while let Some(load) = seen.get(at).copied() {
        if own.contains(&load) {
            return true;
        }
        for next in waiting.get(&load).into_iter().flatten() {
            if !seen.contains(next) {
                seen.push(*next);
            }
        }
        at += 1;
    }
    false
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some((loads, load)) = self.waiting.take() else { return };
        let mut waiting = lock();
        for own in loads.iter() {
            let Some(others) = waiting.get_mut(own) else { continue };
            if let Some(at) = others.iter().position(|other| *other == load) {
                others.swap_remove(at);
            }
            if others.is_empty() {
                waiting.remove(own);
            }
        }
    }
}

fn lock() -> MutexGuard<'static, HashMap<u64, Vec<u64>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_circle_is_found_however_long_it_is_and_ends_with_its_waits() {
        let [a, b, c] = std::array::from_fn(|_| number());
        let of = |load: u64| Arc::<[u64]>::from([load]);
        let first = within(of(a), async { wait_for(b) }).await.unwrap();
        let second = within(of(b), async { wait_for(c) }).await.unwrap();
        assert!(within(of(c), async { wait_for(a) }).await.is_err());
        assert!(within(of(c), async { wait_for(c) }).await.is_err());
        drop(first);
        let third = within(of(c), async { wait_for(a) }).await;
        assert!(third.is_ok());
        drop((second, third));
        assert!(wait_for(a).is_ok(), "who loads nothing waits for anything");
    }
}
