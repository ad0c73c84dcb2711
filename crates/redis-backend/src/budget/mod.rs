//! Keeps a `cache` database within its memory budget, since no server does that for one database.
//!
//! A process counts what it writes. After each [`STEP`] of the budget one writer becomes the keeper for a round
//! before its write continues: it walks on over the keys, measures them ([`census`]), and evicts those unused for
//! longest ([`candidates`]) until there is room for the next step. Other writers continue meanwhile for up to
//! [`LEAD`] steps, and then wait until the next round begins, which takes on what was written. Processes know each
//! other's writes only from the server's key count and sizes, and each makes room for its own writes.

pub(crate) mod candidates;
pub(crate) mod census;
mod keeper;
pub(crate) mod watch;

use compartment_core::{Contract, DatabaseKind, Error, Placement, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::budget::keeper::{Keeper, PAGE};
use crate::error::is_hidden;
use crate::repeat::Repeat;
use crate::requests::Requests;

/// The budget is divided into this many steps; each step written causes a round.
const STEP: u64 = 256;
/// Steps that may be written ahead of the keeper before writers wait.
const LEAD: u64 = 3;
/// A round evicts down to 98 % of the budget, minus one step or the bytes being written.
const PERCENT: u64 = 98;
/// Keys measured for each key that has to be evicted. This is how often a key is met between its writing and its
/// eviction; it is evicted when it is met, or soon after. With two, this is at 0.75 to 1.25 of the time at which
/// exact LRU would evict it. Measuring a key costs the server about as much as a small write.
const MET_PER_EVICTED: u64 = 2;
/// Below this percentage of the budget, only one in [`ONE_IN`] of these keys is measured: enough to know the longest
/// unused keys by the time that something has to be evicted.
const FAR_BELOW: u64 = 90;
const ONE_IN: u64 = 16;
/// Up to this number of keys, each round measures all of them.
const FEW: u64 = 2 * PAGE;
/// Scripts in one round. A database far over its budget needs several rounds.
const MAX_SCRIPTS: usize = 64;
/// Above this percentage of the budget, a look at the number of keys becomes a round.
const NEARLY_FULL: u64 = 95;
/// The minimum number of keys in such a measurement.
const LOOK: u64 = 4_000;
/// The server's approximate overhead for a key beside its name and value, in bytes.
const OVERHEAD: u64 = 48;

/// The budget of one database.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    /// Keys written since the last round; the bytes are in the next field.
    written_keys: AtomicU64,
    written_bytes: AtomicU64,
    /// Bytes counted and perhaps not written yet.
    in_flight: AtomicU64,
    keeper: Mutex<Keeper>,
    /// Tells those who wait for the keeper that a round has begun: they may write ahead of it.
    begun: Notify,
    /// Set once the server has refused a necessary command.
    refused: AtomicBool,
    /// Set when a wait for the keeper timed out.
    stands_still: AtomicBool,
}

/// Room for a write, reserved until the write is done.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.budget.in_flight.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Budget {
    /// The budget of a database, if it can be enforced.
    pub(crate) fn of(contract: &Contract, is_cluster: bool) -> Option<Self> {
        let bytes = contract.memory_budget.filter(|_| contract.kind == DatabaseKind::Cache)?;
        let is_alone = matches!(contract.placement, Placement::Index { .. }) && !contract.is_shared;
        if !is_alone || is_cluster {
            tracing::warn!(
                database = contract.name,
                placement = %contract.placement,
                "the memory budget is not enforced: it needs a numbered database of its own on one \
                 server, not on a cluster"
            );
            return None;
        }
        Some(Self {
            bytes,
            written_keys: AtomicU64::default(),
            written_bytes: AtomicU64::default(),
            in_flight: AtomicU64::default(),
            keeper: Mutex::default(),
            begun: Notify::new(),
            refused: AtomicBool::default(),
            stands_still: AtomicBool::default(),
        })
    }

    /// Measures the writes of other programs, unless a caller is making room, which does that too. Returns `false`
    /// once the server has refused it.
    pub(crate) async fn look(&self, requests: &Requests) -> bool {
        if self.refused.load(Ordering::Relaxed) {
            return false;
        }
        if let Ok(mut keeper) = self.keeper.try_lock() {
            self.round(requests, &mut keeper, LOOK).await;
        }
        true
    }

    /// Reads the number of keys, and makes room if they probably take nearly the whole budget. Returns whether a
    /// further round is due at once; `None` once the server has refused it.
    pub(crate) async fn glance(&self, requests: &Requests) -> Option<bool> {
        if self.refused.load(Ordering::Relaxed) {
            return None;
        }
        // A caller who makes room sees the other programs' writes as well.
        let Ok(mut keeper) = self.keeper.try_lock() else { return Some(false) };
        let keys = redis::cmd("DBSIZE");
        match requests.query_plain::<u64>(Repeat::Idempotent, "count keys", "", &keys).await {
            Ok(keys) => keeper.census.counted(keys),
            Err(error) => {
                self.note(requests, &error);
                return Some(false);
            }
        }
        // Without a measured key nothing is known of the sizes.
        let is_measured = keeper.census.mean() > 0.0 || keeper.census.database_keys() == 0;
        if is_measured && keeper.census.used() < self.bytes / 100 * NEARLY_FULL {
            return Some(false);
        }
        let evicted = || requests.traffic.snapshot().evicted;
        let before = evicted();
        self.round(requests, &mut keeper, PAGE).await;
        // A round that evicted nothing would not evict anything a moment later either.
        Some(keeper.census.used() > self.bytes / 100 * PERCENT && evicted() > before)
    }

    /// Counts a write, and makes room first if that is due. It never fails, since writes do not depend on it.
    pub(crate) async fn before_write(
        &self,
        requests: &Requests,
        keys: u64,
        bytes: u64,
    ) -> Room<'_> {
        self.in_flight.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { budget: self, bytes };
        self.written_keys.fetch_add(keys, Ordering::Relaxed);
        let written = self.written_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if written >= self.step() {
            self.wait_for_room(requests, written).await;
        }
        room
    }

    /// How many bytes may be written in one request.
    pub(crate) fn max_at_once(&self) -> u64 {
        self.step()
    }

    async fn wait_for_room(&self, requests: &Requests, written: u64) {
        if self.refused.load(Ordering::Relaxed) {
            return;
        }
        let turn = match self.keeper.try_lock() {
            Ok(keeper) => Some(keeper),
            Err(_) if written < self.step() * LEAD => return,
            // If the keeper's runtime is blocked, only one writer waits until the time-out; later writers continue at
            // once. A write does not depend on room.
            Err(_) if self.stands_still.load(Ordering::Relaxed) => return,
            Err(_) => match tokio::time::timeout(requests.patience(), self.turn()).await {
                Ok(turn) => turn,
                Err(_) => {
                    self.stands_still.store(true, Ordering::Relaxed);
                    return;
                }
            },
        };
        self.stands_still.store(false, Ordering::Relaxed);
        let Some(mut keeper) = turn else { return };
        // Room may have been made during the wait.
        if self.written_bytes.load(Ordering::Relaxed) >= self.step() {
            self.round(requests, &mut keeper, 0).await;
        }
    }

    /// Waits for the keeper, or until there is room ahead of it.
    async fn turn(&self) -> Option<MutexGuard<'_, Keeper>> {
        loop {
            let begun = self.begun.notified();
            if self.written_bytes.load(Ordering::Relaxed) < self.step() * LEAD {
                return None;
            }
            tokio::select! {
                keeper = self.keeper.lock() => return Some(keeper),
                () = begun => {}
            }
        }
    }

    fn step(&self) -> u64 {
        (self.bytes / STEP).max(1)
    }

    /// Makes room for a step, and measures at least `least` keys.
    async fn round(&self, requests: &Requests, keeper: &mut Keeper, least: u64) {
        let keys = self.written_keys.swap(0, Ordering::Relaxed);
        let bytes = self.written_bytes.swap(0, Ordering::Relaxed);
        self.begun.notify_waiters();
        keeper.census.wrote(keys, bytes);
        // As many keys leave as are written, unless their sizes change: then use the larger number.
        let leaving = ((bytes as f64 / keeper.census.mean().max(1.0)) as u64).max(keys);
        let wanted = if keeper.census.used() < self.bytes / 100 * FAR_BELOW {
            leaving * MET_PER_EVICTED / ONE_IN
        } else {
            // If there are few keys, measure all of them, because each one matters.
            let all = Some(keeper.census.database_keys()).filter(|keys| *keys <= FEW);
            (leaving * MET_PER_EVICTED).max(all.unwrap_or(0))
        };
        // At least one step of the walk, because it also reads the number of keys.
        let wanted = wanted.max(least).max(1);
        if let Err(error) = self.make_room(requests, keeper, wanted, bytes).await {
            self.note(requests, &error);
        }
    }

    /// Measures `wanted` keys, and evicts after `written` bytes. The longest unused keys of earlier pages are evicted
    /// while the walk goes on: each page and each eviction is a script of its own, but a round waits for both at once.
    /// What the last page shows to be too much is left to the next round, unless the budget is full.
    async fn make_room(
        &self,
        requests: &Requests,
        keeper: &mut Keeper,
        wanted: u64,
        written: u64,
    ) -> Result<()> {
        let start = keeper.census.progress();
        let (mut met, mut scripts, mut evicted) = (0, 0, 0);
        while scripts < MAX_SCRIPTS && keeper.census.progress() - start < 1.0 {
            if met >= wanted && keeper.census.growth() <= self.step() as f64 {
                break;
            }
            let excess = self.excess(keeper, written.saturating_sub(evicted));
            let leaving = keeper.candidates.take(excess, PAGE as usize, false);
            scripts += 1 + usize::from(!leaving.is_empty());
            let names = wanted.saturating_sub(met);
            let (found, freed) = keeper.walk_and_evict(requests, names, leaving).await?;
            met += found;
            evicted += freed;
        }
        let excess = self.excess(keeper, written.saturating_sub(evicted));
        if excess <= self.step() * LEAD && !self.is_full(keeper) {
            return Ok(());
        }
        keeper.evict_bytes(requests, excess, MAX_SCRIPTS.saturating_sub(scripts)).await
    }

    /// The bytes that are written and perhaps not counted yet.
    fn reserved(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed).max(self.step())
    }

    /// Whether the budget has no room for them.
    fn is_full(&self, keeper: &Keeper) -> bool {
        keeper.census.used() + self.reserved() > self.bytes
    }

    /// How many bytes have to leave after `written` bytes.
    fn excess(&self, keeper: &Keeper, written: u64) -> u64 {
        let target = (self.bytes / 100 * PERCENT).saturating_sub(self.reserved());
        let over = keeper.census.used().saturating_sub(target);
        match self.is_full(keeper) {
            true => over,
            // Several processes see one excess, and each sees an estimate that may be too high.
            false => over.min(written + over / 4),
        }
    }

    /// Logs a refusal once and stops asking.
    fn note(&self, requests: &Requests, error: &Error) {
        let database = requests.contract.name.as_str();
        if is_hidden(error) {
            self.refused.store(true, Ordering::Relaxed);
            tracing::warn!(
                database,
                %error,
                "the memory budget is not enforced: it needs SCAN, MEMORY USAGE, OBJECT, DBSIZE, TIME, \
                 UNLINK and EVAL"
            );
        } else {
            tracing::debug!(database, %error, "a round of the memory budget failed");
        }
    }
}

/// The approximate bytes of a key with a name and a value of these lengths.
pub(crate) fn about(name: usize, value: usize) -> u64 {
    allocated(name as u64 + 2) + allocated(value as u64 + 4) + OVERHEAD
}

/// The size of an allocation of `bytes`: allocators have four sizes for each doubling.
fn allocated(bytes: u64) -> u64 {
    let unit = if bytes <= 64 { 8 } else { 1 << ((bytes - 1).ilog2() - 2) };
    bytes.next_multiple_of(unit)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    #[test]
    fn allocations_are_rounded_up_as_allocators_do() {
        for (bytes, wanted) in [(1, 8), (100, 112), (129, 160), (300, 320), (65_540, 81_920)] {
            assert_eq!(allocated(bytes), wanted, "{bytes}");
        }
    }

    #[tokio::test]
    async fn a_writer_waits_for_the_keeper_until_the_next_round_takes_what_was_written() {
        let cache = Contract::new("cache", DatabaseKind::Cache).memory_budget(1 << 20);
        let budget = Budget::of(&cache, false).unwrap();
        let far_ahead = budget.step() * LEAD;
        budget.written_bytes.store(far_ahead, Ordering::Relaxed);
        let keeper = budget.keeper.lock().await;
        let mut waiting = pin!(budget.turn());
        assert!(poll!(waiting.as_mut()).is_pending());
        // Another woke up, but as much was written again.
        budget.begun.notify_waiters();
        assert!(poll!(waiting.as_mut()).is_pending());
        budget.written_bytes.store(far_ahead - 1, Ordering::Relaxed);
        budget.begun.notify_waiters();
        assert!(matches!(poll!(waiting.as_mut()), Poll::Ready(None)));
        budget.written_bytes.store(far_ahead, Ordering::Relaxed);
        let mut waiting = pin!(budget.turn());
        assert!(poll!(waiting.as_mut()).is_pending());
        drop(keeper);
        assert!(matches!(poll!(waiting.as_mut()), Poll::Ready(Some(_))));
    }

    #[test]
    fn only_a_cache_on_an_index_of_its_own_has_a_budget_that_is_held() {
        let cache = Contract::new("cache", DatabaseKind::Cache).memory_budget(1 << 20);
        assert!(Budget::of(&cache, false).is_some());
        assert!(Budget::of(&cache, true).is_none());
        let mut shared = cache.clone();
        shared.is_shared = true;
        assert!(Budget::of(&shared, false).is_none());
        let placement =
            Placement::Prefix { instance: "primary".into(), index: 0, prefix: "cache:".into() };
        assert!(Budget::of(&cache.placement(placement), false).is_none());
        let durable = Contract::new("batch", DatabaseKind::Durable).memory_budget(1 << 20);
        assert!(Budget::of(&durable, false).is_none());
    }
}
