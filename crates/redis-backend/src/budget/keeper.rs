//! The keeper of a budget: walks over the keys of the database, measures them, and evicts.

use compartment_core::Result;
use redis::Cmd;

use crate::budget::candidates::{Candidate, Candidates};
use crate::budget::census::Census;
use crate::repeat::Repeat;
use crate::requests::Requests;
use crate::script::{LuaScript, lua_script};

static WALK: LuaScript = lua_script!("budget_rank.lua", "budget_walk.lua");
static EVICT: LuaScript = lua_script!("budget_rank.lua", "budget_evict.lua");

/// Keys in one script: about 0.2 ms of the server's time.
pub(super) const PAGE: u64 = 200;
/// The names that a walk meets are arguments, not keys.
const NO_KEYS: &[&str] = &[];

/// How many of eight measured keys become candidates, where there are enough: every second is evicted.
const KEPT_OF_8: u64 = 5;

/// The measurements of a database, used by the caller that makes room.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    pub(super) census: Census,
    pub(super) candidates: Candidates,
    by_frequency: bool,
}

impl Keeper {
    /// Continues the walk by about `names` keys; returns how many it measured.
    pub(super) async fn walk(&mut self, requests: &Requests, names: u64) -> Result<u64> {
        let walked = self.next_page(requests, names).await?;
        Ok(self.met(walked))
    }

    /// Continues the walk and evicts, both at once; returns how many keys were measured, and the bytes that need not be
    /// evicted any more.
    pub(super) async fn walk_and_evict(
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
        // Some more than leave, so that the best of them stay in store; all, while the store fills. Each costs this
        // process more than the server.
        let most = (count * KEPT_OF_8 / 8).max(self.candidates.room());
        let arguments = |command: &mut Cmd| {
            command.arg(cursor).arg(count).arg(&limit).arg(most);
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
    pub(super) async fn evict_bytes(
        &mut self,
        requests: &Requests,
        bytes: u64,
        scripts: usize,
    ) -> Result<()> {
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
