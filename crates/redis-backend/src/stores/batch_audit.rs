//! Audits batches on Redis: documents that wait are read in pages from a copy, so that the server is not busy for long.

use std::collections::BTreeMap;

use compartment_core::backend::{BatchFacts, random};
use compartment_core::{BatchAudit, BatchPlan, BatchStatus, ErrorKind, FencingToken, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use redis::Cmd;

use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};
use crate::stores::batch_script::{RedisBatch, key_of};
use crate::stores::batch_upkeep::Fields;

static AUDIT: LuaScript = lua_script!("batch_open.lua", "batch_audit.lua");

const OPERATION: &str = "audit batch";
/// Waiting documents that one request reads: some two milliseconds of the server.
const PAGE: u32 = 10_000;
/// Pages that are asked for at once, so that the server and this process work at the same time.
const PAGES_AT_ONCE: usize = 2;

/// What the script found, all at one moment.
struct Found {
    plan: BatchPlan,
    status: BatchStatus,
    fields: Fields,
    done: Vec<u8>,
    dead: Vec<u8>,
    stages: Vec<Stage>,
}

/// The documents of a stage that are not settled.
struct Stage {
    /// How many waiting documents are in a copy.
    copied: u32,
    waiting: Vec<u32>,
    held: Vec<u32>,
}

impl RedisBatch {
    /// Compares a batch's counts with its documents, as they were at one moment.
    pub(crate) async fn audit_of(&self, batch: &str) -> Result<BatchAudit> {
        let copies = format!("{}:audit:{:016x}", key_of(batch), random());
        let mut found = self.find(batch, &copies).await?;
        let read = self.read_copies(&copies, &mut found.stages).await;
        self.remove_copies(&copies, &found.stages).await;
        read?;
        // Comparing a million documents takes a while, so it runs on a blocking thread.
        let compared = tokio::task::spawn_blocking(|| compare(found)).await;
        compared.map_err(|error| self.link.unexpected(OPERATION, batch, &error.to_string()))
    }

    async fn find(&self, batch: &str, copies: &str) -> Result<Found> {
        let copies = self.link.name(copies);
        let arguments = |command: &mut Cmd| {
            command.arg(&*copies).arg(PAGE);
        };
        // A repeated request finds the copy there, and lists.
        let mut answer = self.run(&AUDIT, Repeat::Idempotent, OPERATION, batch, arguments).await?;
        let (status, fields) = (answer.status()?, answer.next::<Fields>()?);
        let (done, dead): (Vec<u8>, Vec<u8>) = (answer.next()?, answer.next()?);
        let plan = self.read_plan(batch, fields.get("plan").map_or(&[], Vec::as_slice))?;
        let mut stages = Vec::with_capacity(plan.stages.len());
        while !answer.is_empty() {
            let copied = answer.next()?;
            let (waiting, held): (String, String) = (answer.next()?, answer.next()?);
            stages.push(Stage { copied, waiting: listed(&waiting), held: listed(&held) });
        }
        Ok(Found { plan, status, fields, done, dead, stages })
    }

    async fn read_copies(&self, copies: &str, stages: &mut [Stage]) -> Result<()> {
        for (number, stage) in stages.iter_mut().enumerate().filter(|(_, stage)| stage.copied > 0) {
            let key = format!("{copies}:{number}");
            let mut pages = stream::iter((0..stage.copied).step_by(PAGE as usize))
                .map(|from| self.page(&key, from))
                .buffered(PAGES_AT_ONCE);
            let mut count = 0;
            while let Some(page) = pages.try_next().await? {
                count += page.len();
                stage.waiting.extend(page);
            }
            if count != stage.copied as usize {
                let what = "the copy of the waiting documents is gone, evicted or after ten minutes; audit again";
                return Err(self.link.contract.error(ErrorKind::NotReady, OPERATION, &key, what));
            }
        }
        Ok(())
    }

    async fn page(&self, key: &str, from: u32) -> Result<Vec<u32>> {
        let mut command = redis::cmd("LRANGE");
        command.arg(self.link.name(key).as_bytes()).arg(from).arg(from + PAGE - 1);
        self.link.query(Repeat::Idempotent, OPERATION, key, &command).await
    }

    /// Removes the copies; those that stay end by themselves.
    async fn remove_copies(&self, copies: &str, stages: &[Stage]) {
        for (number, _) in stages.iter().enumerate().filter(|(_, stage)| stage.copied > 0) {
            let key = format!("{copies}:{number}");
            let mut command = redis::cmd("UNLINK");
            command.arg(self.link.name(&key).as_bytes());
            let removed: Result<u64> =
                self.link.query(Repeat::Idempotent, OPERATION, &key, &command).await;
            if let Err(error) = removed {
                tracing::debug!(%error, "a copy stays until it expires");
            }
        }
    }
}

fn compare(found: Found) -> BatchAudit {
    let Found { plan, status, fields, done, dead, stages } = found;
    let mut facts = BatchFacts::new(&plan, status);
    let count = |(name, value): (String, Vec<u8>)| {
        Some((name, std::str::from_utf8(&value).ok()?.parse().ok()?))
    };
    facts.counted = fields.into_iter().filter_map(count).collect::<BTreeMap<String, i64>>();
    let counted = |name: &str| facts.counted.get(name).copied().unwrap_or(0);
    let born = u64::try_from(counted("born")).unwrap_or(0);
    facts.repairs = u64::try_from(counted("repairs")).unwrap_or(0);
    let total = usize::try_from(counted("total")).unwrap_or(0);
    facts.born = FencingToken::from_number(born);
    facts.done = by_document(&done, total, plan.stages.len());
    facts.dead = by_document(&dead, total, plan.stages.len());
    for (number, stage) in stages.into_iter().take(plan.stages.len()).enumerate() {
        (facts.waiting[number], facts.held[number]) = (stage.waiting, stage.held);
    }
    facts.audit()
}

/// Splits the bitmap into one word for each document; bit 0 is the first stage.
fn by_document(bits: &[u8], total: usize, stages: usize) -> Vec<u16> {
    let bit =
        |place: usize| bits.get(place / 8).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0);
    let of = |ordinal: usize| {
        (0..stages).fold(0, |all, stage| all | u16::from(bit(ordinal * stages + stage)) << stage)
    };
    (0..total).map(of).collect()
}

/// The ordinals in a list.
fn listed(text: &str) -> Vec<u32> {
    text.split(',').filter_map(|ordinal| ordinal.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_sorted_by_document() {
        assert_eq!(by_document(&[0b1010_0110, 0b1000_0000], 4, 3), [0b101, 0b100, 0b101, 0]);
        assert_eq!(by_document(&[], 2, 1), [0, 0]);
    }
}
