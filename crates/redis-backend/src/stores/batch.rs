//! Batches on Redis: bitmaps, lists and counts under one hash tag, changed by one script for each operation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::{BatchRefusal, shown_message};
use compartment_core::{
    BatchClaim, BatchFailure, BatchPlan, BatchProgress, BatchStatus, BatchStore, ClaimRequest,
    ClaimedDocument, Codec, ErrorKind, FailureStream, FencingToken, MAX_AT_ONCE, Outcome, Result,
    Settled, Settlement, StageProgress,
};
use futures_util::StreamExt;
use redis::Cmd;

use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};
use crate::stores::batch_script::{RedisBatch, key_of, named};
use crate::stores::claimant::Asked;

static RELEASE: LuaScript = lua_script!("batch_open.lua", "batch_back.lua", "batch_release.lua");
static CREATE: LuaScript = lua_script!("batch_create.lua");
static SUBMIT: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_submit.lua");
static CHANGE: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_change.lua");
static CLAIM: LuaScript =
    lua_script!("batch_open.lua", "batch_news.lua", "asked.lua", "batch_claim.lua");
static RENEW: LuaScript = lua_script!("batch_open.lua", "batch_renew.lua");
static SETTLE: LuaScript =
    lua_script!("batch_open.lua", "batch_news.lua", "batch_finish.lua", "batch_settle.lua");
static RETRY: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_retry.lua");
static COMPLETION: LuaScript = lua_script!("batch_open.lua", "asked.lua", "batch_completion.lua");
static PROGRESS: LuaScript = lua_script!("batch_open.lua", "batch_progress.lua");
static REMOVE: LuaScript = lua_script!("batch_open.lua", "batch_remove.lua");

/// Failures read in one request.
const FAILURES_AT_ONCE: usize = 500;

impl RedisBatch {
    async fn change(
        &self,
        operation: &'static str,
        batch: &str,
        change: &'static str,
    ) -> Result<BatchStatus> {
        self.link.traffic.wrote(1);
        let argument = |command: &mut Cmd| {
            command.arg(change);
        };
        self.run(&CHANGE, Repeat::Idempotent, operation, batch, argument).await?.status()
    }

    async fn add(
        &self,
        batch: &str,
        repeat: Repeat,
        first: &str,
        entries: &[Bytes],
    ) -> Result<Option<u32>> {
        let operation = "submit to batch";
        BatchRefusal::unless_submittable(entries, &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(first);
            for entry in entries {
                command.arg(entry.as_ref());
            }
        };
        let mut answer = self.run(&SUBMIT, repeat, operation, batch, arguments).await?;
        if answer.is_empty() { Ok(None) } else { answer.next().map(Some) }
    }

    /// A page of failures, and the cursor of the next.
    async fn failures_from(&self, batch: &str, cursor: u64) -> Result<(u64, Vec<BatchFailure>)> {
        let (operation, key) = ("read failures of batch", format!("{}:errors", key_of(batch)));
        let mut command = redis::cmd("HSCAN");
        let name = self.link.name(&key);
        command.arg(name.as_bytes()).arg(cursor).arg("COUNT").arg(FAILURES_AT_ONCE);
        let (next, fields): (u64, Vec<(String, String)>) =
            self.link.query(Repeat::Idempotent, operation, &key, &command).await?;
        if self.born.is_some() {
            // If the batch exists now, it existed during the read.
            self.plan(batch).await?;
        }
        let failure = |(field, error): (String, String)| {
            let (stage, ordinal) = field.split_once(':')?;
            let error = shown_message(&error).to_owned();
            Some(BatchFailure::new(stage.parse().ok()?, ordinal.parse().ok()?, error))
        };
        Ok((next, fields.into_iter().filter_map(failure).collect()))
    }

    /// Removes a batch; returns the script's last answer, or `None` if the batch does not exist.
    pub(crate) async fn remove_all(
        &self,
        operation: &'static str,
        batch: &str,
        only: &str,
    ) -> Result<Option<u8>> {
        if self.born.is_none() {
            // Removal takes several requests; it must not continue with a later batch of the name.
            let Some(progress) = self.progress(batch).await? else { return Ok(None) };
            let own = self.of_birth(progress.born);
            return Box::pin(own.remove_all(operation, batch, only)).await;
        }
        self.link.traffic.wrote(1);
        let argument = |command: &mut Cmd| {
            command.arg(only);
        };
        let mut began = false;
        loop {
            let removed = self.run(&REMOVE, Repeat::Idempotent, operation, batch, argument).await;
            match removed {
                // Another caller may have removed the rest.
                Err(error) if error.kind() == ErrorKind::Unknown => return Ok(began.then_some(1)),
                other => match other?.next()? {
                    0 => began = true,
                    said => return Ok(Some(said)),
                },
            }
        }
    }
}

/// The codec of a plan; scripts read it as JSON.
const PLAN: Codec = Codec::JSON.compress_from(None);

fn millis(time: Duration) -> u64 {
    // Scripts calculate with doubles, which are exact up to this value.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(1 << 52)
}

#[async_trait]
impl BatchStore for RedisBatch {
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchStore> {
        Arc::new(self.of_birth(token))
    }

    async fn create(&self, batch: &str, plan: &BatchPlan) -> Result<bool> {
        let (operation, contract) = ("create batch", &self.link.contract);
        BatchRefusal::unless_durable(contract, operation, batch)?;
        BatchRefusal::unless_a_name(contract, operation, batch)?;
        plan.check().map_err(|error| error.in_database(contract.name.as_str()).at_key(batch))?;
        self.check_place(operation, batch)?;
        let json = PLAN.encode(plan)?;
        self.link.traffic.wrote(1);
        let time = self.link.script_time();
        let argument = |command: &mut Cmd| {
            command.arg(&time).arg(json.as_ref());
        };
        let repeat = Repeat::OnlyIfNotSent;
        let answer = self.send(&CREATE, repeat, operation, batch, argument).await?;
        self.read(answer, operation, batch)?.next()
    }

    async fn submit(&self, batch: &str, entries: Vec<Bytes>) -> Result<u32> {
        let first = self.add(batch, Repeat::OnlyIfNotSent, "", &entries).await?;
        Ok(first.unwrap_or_default())
    }

    async fn submit_at(&self, batch: &str, first: u32, entries: Vec<Bytes>) -> Result<bool> {
        // If the connection repeated it, the second answer would report a failure: only the caller repeats it.
        let repeat = Repeat::OnlyIfNotSent;
        Ok(self.add(batch, repeat, &first.to_string(), &entries).await?.is_some())
    }

    async fn seal(&self, batch: &str) -> Result<BatchStatus> {
        self.change("seal batch", batch, "seal").await
    }

    async fn claim(&self, batch: &str, request: ClaimRequest) -> Result<Option<BatchClaim>> {
        let operation = "claim of batch";
        if request.max_documents == 0 || request.max_documents > MAX_AT_ONCE {
            return Err(self.refuse(BatchRefusal::TooMany, operation, batch));
        }
        let lease = self.link.contract.millis(operation, batch, request.lease)?;
        self.link.traffic.wrote(1);
        let send = async |asked: &Asked| {
            let arguments = |command: &mut Cmd| {
                command.arg(request.stage).arg(request.max_documents).arg(lease);
                named(command, asked);
            };
            // A repeated request would claim documents for nobody.
            let repeat = Repeat::OnlyIfNotSent;
            loop {
                let mut answer = self.run(&CLAIM, repeat, operation, batch, arguments).await?;
                if answer.is_empty() {
                    return Ok(None);
                }
                // 0: the documents it checked are already settled, and there are more.
                let token: u64 = answer.next()?;
                if token != 0 {
                    return Ok(Some((FencingToken::from_number(token), answer)));
                }
            }
        };
        let Some((token, mut answer)) = self.ask(batch, send).await? else {
            return Ok(None);
        };
        let mut documents = Vec::with_capacity(answer.len() / 3);
        while !answer.is_empty() {
            let (ordinal, counts): (u32, u8) = (answer.next()?, answer.next()?);
            let (failed, lost) = (counts % 16, counts / 16);
            let entry: Vec<u8> = answer.next()?;
            documents.push(ClaimedDocument::new(ordinal, failed + 1, lost, entry.into()));
        }
        Ok(Some(BatchClaim::new(token, documents)))
    }

    async fn renew(&self, batch: &str, token: FencingToken, lease: Duration) -> Result<bool> {
        let operation = "renew claim of batch";
        let lease = self.link.contract.millis(operation, batch, lease)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(token.number()).arg(lease);
        };
        self.run(&RENEW, Repeat::Idempotent, operation, batch, arguments).await?.next()
    }

    async fn release(&self, batch: &str, token: FencingToken) -> Result<bool> {
        let operation = "hand back claim of batch";
        self.link.traffic.wrote(1);
        let argument = |command: &mut Cmd| {
            command.arg(token.number());
        };
        self.run(&RELEASE, Repeat::Idempotent, operation, batch, argument).await?.next()
    }

    async fn settle(&self, batch: &str, settlement: Settlement) -> Result<Settled> {
        let operation = "settle in batch";
        let Settlement { stage, token, outcomes, note, .. } = settlement;
        BatchRefusal::unless_settleable(&outcomes, &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(stage).arg(token.number()).arg(note.as_ref());
            for (ordinal, outcome) in &outcomes {
                let (what, error, after) = match outcome {
                    Outcome::Done => {
                        command.arg(ordinal);
                        continue;
                    }
                    Outcome::Retry { error, after } => ("retry", error.as_str(), *after),
                    Outcome::Dead { error } => ("dead", error.as_str(), Duration::ZERO),
                    _ => ("back", "", Duration::ZERO),
                };
                command.arg(what).arg(ordinal).arg(error).arg(millis(after));
            }
        };
        // A repeated settlement is harmless; only its count is too low.
        let repeat = Repeat::Idempotent;
        let mut answer = self.run(&SETTLE, repeat, operation, batch, arguments).await?;
        let mut settled = Settled::default();
        (settled.counted, settled.is_completed) = (answer.next()?, answer.next()?);
        Ok(settled)
    }

    async fn pause(&self, batch: &str, paused: bool) -> Result<()> {
        let change = if paused { "pause" } else { "resume" };
        self.change("pause batch", batch, change).await.map(drop)
    }

    async fn cancel(&self, batch: &str) -> Result<BatchStatus> {
        self.change("cancel batch", batch, "cancel").await
    }

    async fn retry(&self, batch: &str, dead: Vec<(usize, u32)>) -> Result<u64> {
        let operation = "retry in batch";
        BatchRefusal::unless_few(dead.len(), &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            for (stage, ordinal) in &dead {
                command.arg(stage).arg(ordinal);
            }
        };
        self.run(&RETRY, Repeat::Idempotent, operation, batch, arguments).await?.next()
    }

    async fn claim_completion(&self, batch: &str, lease: Duration) -> Result<Option<FencingToken>> {
        let operation = "claim completion of batch";
        let millis = self.link.contract.millis(operation, batch, lease)?;
        self.link.traffic.wrote(1);
        let send = async |asked: &Asked| {
            let arguments = |command: &mut Cmd| {
                command.arg(millis);
                named(command, asked);
            };
            let repeat = Repeat::OnlyIfNotSent;
            let mut answer = self.run(&COMPLETION, repeat, operation, batch, arguments).await?;
            if answer.is_empty() { Ok(None) } else { answer.next().map(Some) }
        };
        let token: Option<u64> = self.ask(batch, send).await?;
        Ok(token.map(FencingToken::from_number))
    }

    async fn finish_completion(&self, batch: &str, token: FencingToken) -> Result<bool> {
        let operation = "finish completion of batch";
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg("").arg(token.number());
        };
        self.run(&COMPLETION, Repeat::OnlyIfNotSent, operation, batch, arguments).await?.next()
    }

    async fn progress(&self, batch: &str) -> Result<Option<BatchProgress>> {
        let operation = "read batch";
        let read = self.run(&PROGRESS, Repeat::Idempotent, operation, batch, |_| {}).await;
        let mut answer = match read {
            Err(error) if error.kind() == ErrorKind::Unknown => return Ok(None),
            other => other?,
        };
        let mut progress = BatchProgress::new(answer.status()?);
        progress.born = FencingToken::from_number(answer.next()?);
        progress.ended = answer.next::<String>()?.parse().ok().map(Duration::from_millis);
        (progress.is_paused, progress.is_completing) = (answer.next()?, answer.next()?);
        (progress.total, progress.done) = (answer.next()?, answer.next()?);
        (progress.dead, progress.bytes) = (answer.next()?, answer.next()?);
        while !answer.is_empty() {
            let mut stage = StageProgress::default();
            (stage.done, stage.dead) = (answer.next()?, answer.next()?);
            (stage.claimed, stage.ready) = (answer.next()?, answer.next()?);
            stage.delayed = answer.next()?;
            progress.stages.push(stage);
        }
        Ok(Some(progress))
    }

    async fn plan(&self, batch: &str) -> Result<BatchPlan> {
        let (operation, key) = ("read plan of batch", key_of(batch));
        let mut command = redis::cmd("HMGET");
        command.arg(self.link.name(&key).as_bytes()).arg("plan").arg("born");
        let (json, born): (Option<Vec<u8>>, Option<u64>) =
            self.link.query(Repeat::Idempotent, operation, &key, &command).await?;
        let is_own = self.born.is_none_or(|own| own == born.unwrap_or(0));
        let Some(json) = json.filter(|_| is_own) else {
            return Err(self.refuse(BatchRefusal::Missing, operation, batch));
        };
        self.read_plan(batch, &json)
    }

    fn failures(&self, batch: &str) -> FailureStream {
        let (store, batch) = (self.clone(), batch.to_owned());
        let pages = futures_util::stream::unfold(Some(0_u64), move |cursor| {
            let (store, batch) = (store.clone(), batch.clone());
            async move {
                let cursor = cursor?;
                match store.failures_from(&batch, cursor).await {
                    Ok((next, page)) => {
                        let next = (next != 0).then_some(next);
                        Some((page.into_iter().map(Ok).collect::<Vec<_>>(), next))
                    }
                    Err(error) => Some((vec![Err(error)], None)),
                }
            }
        });
        pages.flat_map(futures_util::stream::iter).boxed()
    }

    async fn remove(&self, batch: &str) -> Result<bool> {
        Ok(self.remove_all("remove batch", batch, "").await?.is_some())
    }
}
