//! Records of leases that have ended: workers that are gone, and our locks that have no TTL.
//!
//! Claims of batches and tasks whose lease has ended are no orphans: the sweeper and the next claim take them up. Locks
//! have a TTL and go with it; only one that was restored or moved without its TTL stays.

use redis::Pipeline;
use serde::Deserialize;

use super::OrphanKind;
use super::report::OrphanGroup;
use super::work::{Guarded, Removal, Work, entry_name};
use crate::Result;

/// The hash of all workers, by id.
const WORKERS: &[u8] = b"compartment:workers";
/// Names of our locks, or their beginnings.
const LOCKS: [&[u8]; 3] =
    [b"compartment:lock:", b"compartment:batches:sweeper", b"compartment:ledger:mirror"];
const SCRIPT: &str = include_str!("../../lua/remove_field.lua");

/// The part of a worker's state that tells whether it is gone.
#[derive(Deserialize)]
struct Seen {
    /// In microseconds since 1970.
    seen_at: u64,
}

/// The look for such records.
pub(super) struct Leases {
    pub(super) group: OrphanGroup,
    locks: Vec<Vec<u8>>,
    has_workers: bool,
}

impl Leases {
    pub(super) fn new() -> Self {
        let group = OrphanGroup::new(OrphanKind::EndedLeases);
        Self { group, locks: Vec::new(), has_workers: false }
    }

    pub(super) fn see(&mut self, name: &[u8]) {
        self.has_workers |= name == WORKERS;
        if LOCKS.iter().any(|lock| name.starts_with(lock)) {
            self.locks.push(name.to_vec());
        }
    }

    pub(super) async fn judge(&mut self, work: &mut Work<'_>) -> Result<()> {
        if self.has_workers {
            self.workers(work).await?;
        }
        self.locks.sort();
        self.locks.dedup();
        for locks in std::mem::take(&mut self.locks).chunks(work.pace.batch()) {
            self.ended(work, locks).await?;
        }
        Ok(())
    }

    /// Workers that ended without signing off, such as killed ones.
    async fn workers(&mut self, work: &mut Work<'_>) -> Result<()> {
        let (mut cursor, mut gone) = (0_u64, Vec::new());
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(work.place.on_server(WORKERS).as_ref()).arg(cursor).arg("COUNT").arg(100);
            let answer = work.ask_one::<(u64, Vec<(Vec<u8>, Vec<u8>)>)>(&command).await?;
            let Some((next, workers)) = answer else { return Ok(()) };
            for (id, state) in workers {
                // A state that cannot be read was perhaps written by newer code.
                let Ok(seen) = serde_json::from_slice::<Seen>(&state) else { continue };
                if work.old_enough(seen.seen_at / 1_000, work.min_age()).is_some() {
                    let mut command = work.script(SCRIPT, std::iter::once(WORKERS));
                    command.arg(id.as_slice()).arg(state);
                    let name = entry_name(WORKERS, &id);
                    gone.push(Removal { name, command });
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        self.group.entries += gone.len() as u64;
        gone.iter().for_each(|one| self.group.shown(&one.name));
        work.remove(&mut self.group, gone).await
    }

    /// Locks without a TTL whose lease has ended.
    async fn ended(&mut self, work: &mut Work<'_>, locks: &[Vec<u8>]) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(2 * locks.len());
        for lock in locks {
            let key = work.place.on_server(lock);
            pipeline.cmd("PTTL").arg(key.as_ref());
            pipeline.cmd("HGET").arg(key.as_ref()).arg("lease_ends_ms");
        }
        let answers = work.ask(&pipeline, 2 * locks.len()).await?;
        let mut old = Vec::new();
        for (lock, answers) in locks.iter().zip(answers.chunks(2)) {
            let [redis::Value::Int(-1), ends] = answers else { continue };
            let ends: Option<Vec<u8>> = redis::from_redis_value(ends.clone()).unwrap_or_default();
            let Some(ends) = ends else { continue };
            let at = std::str::from_utf8(&ends).ok().and_then(|text| text.parse().ok());
            match at.map(|at| work.old_enough(at, work.min_age())) {
                Some(Some(age_seconds)) => {
                    let name = lock.clone();
                    old.push(Guarded { name, by: "lease_ends_ms", bound: ends, age_seconds });
                }
                Some(None) => self.group.young += 1,
                None => self.group.age_unknown += 1,
            }
        }
        work.take(&mut self.group, old).await
    }
}
