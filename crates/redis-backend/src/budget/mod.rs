//! Keeps a `cache` database within its memory budget, since no server does that for one database.
//!
//! A process counts what it writes. After each [`STEP`] of the budget one writer is the keeper for a
//! round before its write goes on: it walks on over the keys, measures them ([`Census`]), and evicts
//! those unused for longest ([`Candidates`]) until there is room for the step that follows. Others
//! write on meanwhile, up to [`LEAD`] steps, and then wait for the round. Processes know nothing of
//! each other but what the server says, and each makes room for what it writes itself.

pub(crate) mod candidates;
pub(crate) mod census;
pub(crate) mod watch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use compartment_core::{Contract, DatabaseKind, Error, Placement, Result};
use redis::Cmd;
use tokio::sync::Mutex;

use crate::budget::candidates::{Candidate, Candidates};
use crate::budget::census::Census;
use crate::error::is_hidden;
use crate::repeat::Repeat;
use crate::requests::Requests;
use crate::script::{LuaScript, lua_script};

static WALK: LuaScript = lua_script!("budget_rank.lua", "budget_walk.lua");
static EVICT: LuaScript = lua_script!("budget_rank.lua", "budget_evict.lua");

/// A round for each of so many parts of the budget written.
const STEP: u64 = 256;
/// Steps that are written ahead of the keeper before writers wait for it.
const LEAD: u64 = 3;
/// A round evicts down to 98 % of the budget, minus one step or the bytes being written.
const PERCENT: u64 = 98;
/// Keys met for each that has to go. A key is met so many times between its writing and its end, and
/// goes when it is met, or soon after: with two, at 0.75 to 1.25 of the time at which exact LRU would
/// take it. Each costs the server about as much as a small write.
const MET_PER_EVICTED: u64 = 2;
/// While less than so many hundredths of the budget are used, one in so many of them is met: enough
/// to know the longest unused by the time that something has to go.
const FAR_BELOW: u64 = 90;
const ONE_IN: u64 = 16;
/// Keys in one script: some 0.2 ms of the server's time.
const PAGE: u64 = 200;
/// Up to so many keys are all measured in each round.
const FEW: u64 = 2 * PAGE;
/// Scripts in one round: a database that is far over its budget is brought back in several.
const MAX_SCRIPTS: usize = 64;
/// How often what other programs write is looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// Keys met in such a look, at least.
const LOOK: u64 = 4_000;
/// About what the server takes for a key beside its name and value.
const OVERHEAD: u64 = 48;

/// The names that a walk meets are arguments.
const NO_KEYS: &[&str] = &[];

/// What of a database is measured and known, by whoever makes room.
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
    /// Written since the last round.
    written_keys: AtomicU64,
    written_bytes: AtomicU64,
    /// Counted, and perhaps not written yet.
    in_flight: AtomicU64,
    keeper: Mutex<Keeper>,
    /// Set once the server has refused what it takes.
    refused: AtomicBool,
    /// The keeper was waited for in vain.
    stands_still: AtomicBool,
}

/// Room for a write, held until the write is done.
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
    /// The budget of a database, where it can be held.
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

    /// Looks at what other programs have written, unless somebody makes room just now, which is as
    /// good. `false` once the server has refused it.
    pub(crate) async fn look(&self, requests: &Requests) -> bool {
        if self.refused.load(Ordering::Relaxed) {
            return false;
        }
        if let Ok(mut keeper) = self.keeper.try_lock() {
            self.round(requests, &mut keeper, LOOK).await;
        }
        true
    }

    /// Counts what is going to be written, and makes room first when that is due. Never fails: a
    /// write does not depend on it.
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
            // A keeper whose runtime stands still keeps nobody: one writer has waited for it in vain,
            // and those after it go on at once. A write does not depend on room.
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
        // Whoever waited finds that room was made.
        if self.written_bytes.load(Ordering::Relaxed) >= self.step() {
            self.round(requests, &mut keeper, 0).await;
        }
    }

    fn step(&self) -> u64 {
        (self.bytes / STEP).max(1)
    }

    /// Makes room for a step, and looks at `least` keys at least.
    async fn round(&self, requests: &Requests, keeper: &mut Keeper, least: u64) {
        let keys = self.written_keys.swap(0, Ordering::Relaxed);
        let bytes = self.written_bytes.swap(0, Ordering::Relaxed);
        keeper.census.wrote(keys, bytes);
        // As many come as go, unless their sizes change; then the walk keeps up with both.
        let leaving = ((bytes as f64 / keeper.census.mean().max(1.0)) as u64).max(keys);
        let wanted = if keeper.census.used() < self.bytes / 100 * FAR_BELOW {
            leaving * MET_PER_EVICTED / ONE_IN
        } else {
            // All of them where they are few, and each by itself weighs.
            let all = Some(keeper.census.database_keys()).filter(|keys| *keys <= FEW);
            (leaving * MET_PER_EVICTED).max(all.unwrap_or(0))
        };
        // One step of the walk at least: it also tells how many keys there are.
        let wanted = wanted.max(least).max(1);
        if let Err(error) = self.make_room(requests, keeper, wanted, bytes).await {
            self.note(requests, &error);
        }
    }

    /// Meets `wanted` keys, and evicts after `written` bytes.
    async fn make_room(
        &self,
        requests: &Requests,
        keeper: &mut Keeper,
        wanted: u64,
        written: u64,
    ) -> Result<()> {
        let start = keeper.census.progress();
        let (mut met, mut scripts) = (0, 0);
        while scripts < MAX_SCRIPTS && keeper.census.progress() - start < 1.0 {
            if met >= wanted && keeper.census.growth() <= self.step() as f64 {
                break;
            }
            met += keeper.walk(requests, wanted.saturating_sub(met)).await?;
            scripts += 1;
        }
        let reserved = self.in_flight.load(Ordering::Relaxed).max(self.step());
        let target = (self.bytes / 100 * PERCENT).saturating_sub(reserved);
        let used = keeper.census.used();
        let over = used.saturating_sub(target);
        let leaving = if used + reserved > self.bytes {
            over
        } else {
            // Several processes see the same excess, or one of them more than there is.
            over.min(written + over / 4)
        };
        keeper.evict_bytes(requests, leaving, MAX_SCRIPTS - scripts).await
    }

    /// A server that refuses is told of once, and asked no more.
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
    /// Walks on by about `names`; how many it met.
    async fn walk(&mut self, requests: &Requests, names: u64) -> Result<u64> {
        // A candidate that is met again has to be seen, in whatever second its last use falls now:
        // it is counted where it was met last.
        let limit = self.candidates.limit().map(|limit| limit + 2 * self.slack());
        let limit = limit.map_or(String::new(), |limit| limit.to_string());
        let (cursor, count) = (self.census.cursor(), names.clamp(PAGE / 10, PAGE));
        let arguments = |command: &mut Cmd| {
            command.arg(cursor).arg(count).arg(&limit);
        };
        let (next, database_keys, by_frequency, keys, bytes, found): Walked =
            WALK.run_on(requests, Repeat::Idempotent, "measure", "", NO_KEYS, arguments).await?;
        if keys > 0 && by_frequency != self.by_frequency {
            self.by_frequency = by_frequency;
            self.candidates.clear();
        }
        let step = self.census.met(next, keys, bytes, database_keys);
        for (name, bytes, rank) in found {
            self.candidates.add(Candidate { name: name.into(), bytes, rank, step });
        }
        Ok(keys)
    }

    /// By how much a rank may seem higher by itself: the server's clock of last uses is a tenth of a
    /// second late, and so falls into the second before.
    fn slack(&self) -> i64 {
        i64::from(!self.by_frequency)
    }

    /// Evicts so many bytes, if so many scripts are enough. What is written meanwhile is for the next
    /// round: to run after it would take a script for every few keys.
    async fn evict_bytes(&mut self, requests: &Requests, bytes: u64, scripts: usize) -> Result<()> {
        let (mut left, mut dry_since, mut all) = (bytes, None, false);
        for _ in 0..scripts {
            if left == 0 {
                return Ok(());
            }
            let leaving = self.candidates.take(left, PAGE as usize / 2, all);
            if !leaving.is_empty() {
                left = left.saturating_sub(self.evict(requests, leaving).await?);
                dry_since = None;
                continue;
            }
            // No candidate: the walk finds more, and housekeeping goes once there is nothing else.
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

    /// Evicts those that were not used since they were met; how many bytes are not needed any more.
    async fn evict(&mut self, requests: &Requests, leaving: Vec<Candidate>) -> Result<u64> {
        let slack = self.slack();
        // Another process that makes room at this moment spares this one as many.
        let enough = self.census.database_keys().saturating_sub(leaving.len() as u64);
        let arguments = |command: &mut Cmd| {
            command.arg(enough);
            for candidate in &leaving {
                command.arg(candidate.name.as_ref()).arg(candidate.rank + slack);
            }
        };
        let answer: Vec<i64> =
            EVICT.run_on(requests, Repeat::OnlyIfNotSent, "evict", "", NO_KEYS, arguments).await?;
        let Some((&database_keys, freed)) = answer.split_first() else { return Ok(0) };
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
                    // One that was gone was missing in what is used already.
                    bytes += if freed > 0 { candidate.bytes } else { 0 };
                    self.census.removed(candidate.step, candidate.bytes);
                }
            }
        }
        requests.traffic.evicted(freed.iter().filter(|freed| **freed > 0).count() as u64);
        Ok(bytes)
    }
}

/// Answers of the script that evicts, beside 1 and 0 for keys that are gone now.
const USED_SINCE: i64 = -1;
const NOT_NEEDED: i64 = -2;

/// Cursor, keys in the database, whether ranks are frequencies, keys met, their bytes, and the
/// candidates among them.
type Walked = (u64, u64, bool, u64, u64, Vec<(Vec<u8>, u64, i64)>);

/// About the bytes that a key with such a name and value takes.
pub(crate) fn about(name: usize, value: usize) -> u64 {
    allocated(name as u64 + 2) + allocated(value as u64 + 4) + OVERHEAD
}

/// What an allocation of `bytes` takes: allocators have four sizes to each doubling.
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
