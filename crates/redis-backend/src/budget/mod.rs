//! Keeps a `cache` database within its memory budget, since no server does that for one database.
//!
//! A process counts what it writes. After each [`STEP`] of the budget one writer becomes the keeper for a round
//! before its write continues: it walks on over the keys, measures them ([`Census`]), and evicts those unused for
//! longest ([`Candidates`]) until there is room for the next step. Other writers continue meanwhile for up to
//! [`LEAD`] steps, and then wait for the round. Processes know each other's writes only from the server's key count
//! and sizes, and each makes room for its own writes.

pub(crate) mod candidates;
pub(crate) mod census;
pub(crate) mod watch;

use compartment_core::{Contract, DatabaseKind, Error, Placement, Result};
use redis::Cmd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Mutex;

use crate::budget::candidates::{Candidate, Candidates};
use crate::budget::census::Census;
use crate::error::is_hidden;
use crate::repeat::Repeat;
use crate::requests::Requests;
use crate::script::{LuaScript, lua_script};

static WALK: LuaScript = lua_script!("budget_rank.lua", "budget_walk.lua");
static EVICT: LuaScript = lua_script!("budget_rank.lua", "budget_evict.lua");

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
/// Keys in one script: about 0.2 ms of the server's time.
const PAGE: u64 = 200;
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

/// The names that a walk meets are arguments, not keys.
const NO_KEYS: &[&str] = &[];

/// The measurements of a database, used by the caller that makes room.
#[derive(Debug, Default)]
struct Keeper {
    census: Census,
    candidates: Candidates,
    by_frequency: bool,
}

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
        let mut keeper = match self.keeper.try_lock() {
            Ok(keeper) => keeper,
            Err(_) if written < self.step() * LEAD => return,
            // If the keeper's runtime is blocked, only one writer waits until the time-out; later writers continue at
            // once. A write does not depend on room.
            Err(_) if self.stands_still.load(Ordering::Relaxed) => return,
            Err(_) => match tokio::time::timeout(requests.patience(), self.keeper.lock()).await {
                Ok(keeper) => keeper,
                Err(_) => {
                    self.stands_still.store(true, Ordering::Relaxed);
                    return;
                }
            },
        };
        self.stands_still.store(false, Ordering::Relaxed);
        // Room may have been made during the wait.
        if self.written_bytes.load(Ordering::Relaxed) >= self.step() {
            self.round(requests, &mut keeper, 0).await;
        }
    }

    fn step(&self) -> u64 {
        (self.bytes / STEP).max(1)
    }

    /// Makes room for a step, and measures at least `least` keys.
    async fn round(&self, requests: &Requests, keeper: &mut Keeper, least: u64) {
        let keys = self.written_keys.swap(0, Ordering::Relaxed);
        let bytes = self.written_bytes.swap(0, Ordering::Relaxed);
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

    /// Measures `wanted` keys, and evicts after `written` bytes. From the second page on, the longest unused keys of
    /// earlier pages are evicted while the walk goes on: each page and each eviction is a script of its own, but a
    /// round waits for both at once.
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
            // The first page tells how many keys there are by now.
            let leaving = match scripts {
                0 => Vec::new(),
                _ => {
                    let excess = self.excess(keeper, written.saturating_sub(evicted));
                    keeper.candidates.take(excess, PAGE as usize, false)
                }
            };
            scripts += 1 + usize::from(!leaving.is_empty());
            let names = wanted.saturating_sub(met);
            let (found, freed) = keeper.walk_and_evict(requests, names, leaving).await?;
            met += found;
            evicted += freed;
        }
        let leaving = self.excess(keeper, written.saturating_sub(evicted));
        keeper.evict_bytes(requests, leaving, MAX_SCRIPTS.saturating_sub(scripts)).await
    }

    /// How many bytes have to leave after `written` bytes.
    fn excess(&self, keeper: &Keeper, written: u64) -> u64 {
        let reserved = self.in_flight.load(Ordering::Relaxed).max(self.step());
        let target = (self.bytes / 100 * PERCENT).saturating_sub(reserved);
        let used = keeper.census.used();
        let over = used.saturating_sub(target);
        if used + reserved > self.bytes {
            over
        } else {
            // Several processes see one excess, and each sees an estimate that may be too high.
            over.min(written + over / 4)
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

impl Keeper {
    /// Continues the walk by about `names` keys; returns how many it measured.
    async fn walk(&mut self, requests: &Requests, names: u64) -> Result<u64> {
        let walked = self.next_page(requests, names).await?;
        Ok(self.met(walked))
    }

    /// Continues the walk and evicts, both at once; returns how many keys were measured, and the bytes that need not be
    /// evicted any more.
    async fn walk_and_evict(
        &mut self,
        requests: &Requests,
        names: u64,
        leaving: Vec<Candidate>,
    ) -> Result<(u64, u64)> {
        if leaving.is_empty() {
            return Ok((self.walk(requests, names).await?, 0));
        }
        // Evictions first, so that the walk does not meet what is about to leave.
        let (answer, walked) =
            tokio::join!(self.send_evictions(requests, &leaving), self.next_page(requests, names));
        let freed = answer.map(|answer| self.evicted(requests, leaving, &answer));
        let met = self.met(walked?);
        Ok((met, freed?))
    }

    /// The next page of the walk.
    async fn next_page(&self, requests: &Requests, names: u64) -> Result<Walked> {
        // The limit includes candidates whose last use is reported up to a second later, so that a candidate met
        // again is counted where it was last met.
        let limit = self.candidates.limit().map(|limit| limit + 2 * self.slack());
        let limit = limit.map_or(String::new(), |limit| limit.to_string());
        let (cursor, count) = (self.census.cursor(), names.clamp(PAGE / 10, PAGE));
        let arguments = |command: &mut Cmd| {
            command.arg(cursor).arg(count).arg(&limit);
        };
        WALK.run_on(requests, Repeat::Idempotent, "measure", "", NO_KEYS, arguments).await
    }

    /// Records a page of the walk; returns how many keys were measured.
    fn met(&mut self, walked: Walked) -> u64 {
        let (next, database_keys, by_frequency, keys, bytes, found) = walked;
        if keys > 0 && by_frequency != self.by_frequency {
            self.by_frequency = by_frequency;
            self.candidates.clear();
        }
        let step = self.census.met(next, keys, bytes, database_keys);
        for (name, bytes, rank) in found {
            self.candidates.add(Candidate { name: name.into(), bytes, rank, step });
        }
        keys
    }

    /// How much higher a rank may appear without a use: the server's clock of last uses lags by a tenth of a second,
    /// and so may fall into the previous second.
    fn slack(&self) -> i64 {
        i64::from(!self.by_frequency)
    }

    /// Evicts this many bytes, if this many scripts suffice. Bytes written meanwhile are left for the next round,
    /// because pursuing them would need a script for every few keys.
    async fn evict_bytes(&mut self, requests: &Requests, bytes: u64, scripts: usize) -> Result<()> {
        let (mut left, mut dry_since, mut all) = (bytes, None, false);
        for _ in 0..scripts {
            if left == 0 {
                return Ok(());
            }
            let leaving = self.candidates.take(left, PAGE as usize, all);
            if !leaving.is_empty() {
                left = left.saturating_sub(self.evict(requests, leaving).await?);
                dry_since = None;
                continue;
            }
            // No candidate is left: the walk finds more. Housekeeping keys are evicted only if a whole cycle finds no
            // others.
            let since = *dry_since.get_or_insert(self.census.progress());
            if self.census.progress() - since < 1.0 {
                self.walk(requests, PAGE).await?;
            } else if all {
                return Ok(());
            } else {
                (all, dry_since) = (true, None);
            }
        }
        Ok(())
    }

    /// Evicts the candidates that were not used since they were measured; returns the bytes that need not be evicted
    /// any more.
    async fn evict(&mut self, requests: &Requests, leaving: Vec<Candidate>) -> Result<u64> {
        let answer = self.send_evictions(requests, &leaving).await?;
        Ok(self.evicted(requests, leaving, &answer))
    }

    async fn send_evictions(&self, requests: &Requests, leaving: &[Candidate]) -> Result<Vec<i64>> {
        let slack = self.slack();
        // If another process makes room at the same time, this one evicts fewer.
        let enough = self.census.database_keys().saturating_sub(leaving.len() as u64);
        let arguments = |command: &mut Cmd| {
            command.arg(enough);
            for candidate in leaving {
                command.arg(candidate.name.as_ref()).arg(candidate.rank + slack);
            }
        };
        EVICT.run_on(requests, Repeat::OnlyIfNotSent, "evict", "", NO_KEYS, arguments).await
    }

    /// Records what was evicted; returns the bytes that need not be evicted any more.
    fn evicted(&mut self, requests: &Requests, leaving: Vec<Candidate>, answer: &[i64]) -> u64 {
        let Some((&database_keys, freed)) = answer.split_first() else { return 0 };
        self.census.counted(database_keys.unsigned_abs());
        let mut bytes = 0;
        for (candidate, &freed) in leaving.into_iter().zip(freed) {
            match freed {
                USED_SINCE => {}
                NOT_NEEDED => {
                    bytes += candidate.bytes;
                    self.candidates.add(candidate);
                }
                _ => {
                    // A key that was gone is missing in the used bytes already.
                    bytes += if freed > 0 { candidate.bytes } else { 0 };
                    self.census.removed(candidate.step, candidate.bytes);
                }
            }
        }
        requests.traffic.evicted(freed.iter().filter(|freed| **freed > 0).count() as u64);
        bytes
    }
}

/// Answers of the evicting script, beside 1 and 0 for keys that are gone now.
const USED_SINCE: i64 = -1;
const NOT_NEEDED: i64 = -2;

/// Cursor, keys in the database, whether ranks are frequencies, keys measured, their bytes, and the candidates among
/// them.
type Walked = (u64, u64, bool, u64, u64, Vec<(Vec<u8>, u64, i64)>);

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
    use super::*;

    #[test]
    fn allocations_are_rounded_up_as_allocators_do() {
        for (bytes, wanted) in [(1, 8), (100, 112), (129, 160), (300, 320), (65_540, 81_920)] {
            assert_eq!(allocated(bytes), wanted, "{bytes}");
        }
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
