//! Batches on Redis: bits, lists and counts under one hash tag, changed by scripts of one purpose each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{
    BatchClaim, BatchFailure, BatchPlan, BatchProgress, BatchRefusal, BatchStatus, BatchStore,
    ClaimRequest, ClaimedDocument, Codec, Error, ErrorKind, FailureStream, FencingToken,
    MAX_AT_ONCE, Outcome, Result, Settled, Settlement, StageProgress,
};
use futures_util::StreamExt;
use redis::{Cmd, Value};

use crate::batch_answer::Answer;
use crate::link::{Link, Repeat};
use crate::script::{LuaScript, lua_script};

static CREATE: LuaScript = lua_script!("batch_create.lua");
static SUBMIT: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_submit.lua");
static CHANGE: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_change.lua");
static CLAIM: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_claim.lua");
static RENEW: LuaScript = lua_script!("batch_open.lua", "batch_renew.lua");
static SETTLE: LuaScript =
    lua_script!("batch_open.lua", "batch_news.lua", "batch_finish.lua", "batch_settle.lua");
static RETRY: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_retry.lua");
static COMPLETION: LuaScript = lua_script!("batch_open.lua", "batch_completion.lua");
static PROGRESS: LuaScript = lua_script!("batch_open.lua", "batch_progress.lua");
static REMOVE: LuaScript = lua_script!("batch_open.lua", "batch_remove.lua");

/// Failures that are read in one request.
const FAILURES_AT_ONCE: usize = 500;

#[derive(Debug)]
pub(crate) struct RedisBatch {
    pub(crate) link: Arc<Link>,
}

/// The key of what a batch is; its other keys begin with it. The tag is not empty whatever the name
/// is, so all of them are in one slot.
fn key_of(batch: &str) -> String {
    format!("{{batch:{batch}}}")
}

impl RedisBatch {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// Runs a script of an existing batch.
    pub(crate) async fn run<'a>(
        &'a self,
        script: &LuaScript,
        repeat: Repeat,
        operation: &'static str,
        batch: &'a str,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Answer<'a>> {
        self.check_place(operation, batch)?;
        let time = self.link.script_time();
        let all = |command: &mut Cmd| {
            command.arg(&time);
            arguments(command);
        };
        let key = key_of(batch);
        let answer: Vec<Value> = script.run(&self.link, repeat, operation, &key, all).await?;
        self.read(answer, operation, batch)
    }

    fn read<'a>(
        &'a self,
        answer: Vec<Value>,
        operation: &'static str,
        batch: &'a str,
    ) -> Result<Answer<'a>> {
        let mut answer = Answer::new(answer, &self.link, operation, batch);
        let refusal = match answer.next::<String>()?.as_str() {
            "ok" => return Ok(answer),
            "missing" => BatchRefusal::Missing,
            "sealed" => BatchRefusal::Sealed,
            "full" => BatchRefusal::Full,
            "no stage" => BatchRefusal::NoStage,
            "no group" => BatchRefusal::NoGroup,
            _ => BatchRefusal::OtherType,
        };
        Err(self.refuse(refusal, operation, batch))
    }

    /// A batch has more keys than a request could name, so none could be brought from another place.
    fn check_place(&self, operation: &'static str, batch: &str) -> Result<()> {
        let arrives = self.link.arrival().is_some_and(|arrival| arrival.concerns(&key_of(batch)));
        if !arrives {
            return Ok(());
        }
        let what = "its database is on its way from a previous place, which batches cannot be; finish \
                    or remove the batches there, and leave previous out";
        Err(self.link.contract.error(ErrorKind::Unsupported, operation, batch, what))
    }

    pub(crate) fn read_plan(&self, batch: &str, json: &[u8]) -> Result<BatchPlan> {
        Codec::decode(json)
            .map_err(|error| error.in_database(self.link.contract.name.as_str()).at_key(batch))
    }

    pub(crate) fn refuse(
        &self,
        refusal: BatchRefusal,
        operation: &'static str,
        batch: &str,
    ) -> Error {
        refusal.error(&self.link.contract, operation, batch)
    }

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

    async fn completion(
        &self,
        operation: &'static str,
        batch: &str,
        lease: u64,
        token: &str,
    ) -> Result<Option<u64>> {
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(lease).arg(token);
        };
        let mut answer =
            self.run(&COMPLETION, Repeat::OnlyIfNotSent, operation, batch, arguments).await?;
        if answer.is_empty() { Ok(None) } else { answer.next().map(Some) }
    }
}

/// How a plan is kept: scripts read it.
const PLAN: Codec = Codec::JSON.compress_from(None);

fn millis(time: Duration) -> u64 {
    // A script reckons in doubles, which are exact up to here.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(1 << 52)
}

#[async_trait]
impl BatchStore for RedisBatch {
    async fn create(&self, batch: &str, plan: &BatchPlan) -> Result<bool> {
        let (operation, contract) = ("create batch", &self.link.contract);
        BatchRefusal::unless_durable(contract, operation, batch)?;
        plan.check().map_err(|error| error.in_database(contract.name.as_str()).at_key(batch))?;
        self.check_place(operation, batch)?;
        let json = PLAN.encode(plan)?;
        self.link.traffic.wrote(1);
        let argument = |command: &mut Cmd| {
            command.arg(json.as_ref());
        };
        let repeat = Repeat::OnlyIfNotSent;
        let key = key_of(batch);
        let answer = CREATE.run(&self.link, repeat, operation, &key, argument).await?;
        self.read(answer, operation, batch)?.next()
    }

    async fn submit(&self, batch: &str, entries: Vec<Bytes>) -> Result<u32> {
        let operation = "submit to batch";
        BatchRefusal::unless_submittable(&entries, &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            for entry in &entries {
                command.arg(entry.as_ref());
            }
        };
        let repeat = Repeat::OnlyIfNotSent;
        self.run(&SUBMIT, repeat, operation, batch, arguments).await?.next()
    }

    async fn seal(&self, batch: &str) -> Result<BatchStatus> {
        self.change("seal batch", batch, "seal").await
    }

    async fn claim(&self, batch: &str, request: ClaimRequest) -> Result<Option<BatchClaim>> {
        let operation = "claim of batch";
        if request.most == 0 || request.most > MAX_AT_ONCE {
            return Err(self.refuse(BatchRefusal::TooMany, operation, batch));
        }
        let lease = self.link.contract.millis(operation, batch, request.lease)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(request.stage).arg(request.most).arg(lease);
        };
        // Sent twice, the documents of the first would be nobody's until their lease has ended.
        let repeat = Repeat::OnlyIfNotSent;
        let (mut answer, token) = loop {
            let mut answer = self.run(&CLAIM, repeat, operation, batch, arguments).await?;
            if answer.is_empty() {
                return Ok(None);
            }
            // 0: what it looked at is settled already, and there is more.
            let token: u64 = answer.next()?;
            if token != 0 {
                break (answer, FencingToken::from_number(token));
            }
        };
        let mut documents = Vec::with_capacity(answer.len() / 3);
        while !answer.is_empty() {
            let (ordinal, attempt) = (answer.next()?, answer.next()?);
            let entry: Vec<u8> = answer.next()?;
            documents.push(ClaimedDocument::new(ordinal, attempt, entry.into()));
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

    async fn settle(&self, batch: &str, settlement: Settlement) -> Result<Settled> {
        let operation = "settle in batch";
        let Settlement { stage, token, outcomes, note, .. } = settlement;
        BatchRefusal::unless_few(outcomes.len(), &self.link.contract, operation, batch)?;
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
        // Told twice, it is known the second time: only the count is then too low.
        let repeat = Repeat::Idempotent;
        let mut answer = self.run(&SETTLE, repeat, operation, batch, arguments).await?;
        let mut settled = Settled::default();
        (settled.counted, settled.completed) = (answer.next()?, answer.next()?);
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
        let lease = self.link.contract.millis(operation, batch, lease)?;
        let token = self.completion(operation, batch, lease, "").await?;
        Ok(token.map(FencingToken::from_number))
    }

    async fn finish_completion(&self, batch: &str, token: FencingToken) -> Result<bool> {
        let operation = "finish completion of batch";
        let token = token.number().to_string();
        Ok(self.completion(operation, batch, 0, &token).await? == Some(1))
    }

    async fn progress(&self, batch: &str) -> Result<Option<BatchProgress>> {
        let operation = "read batch";
        let read = self.run(&PROGRESS, Repeat::Idempotent, operation, batch, |_| {}).await;
        let mut answer = match read {
            Err(error) if error.kind() == ErrorKind::Unknown => return Ok(None),
            other => other?,
        };
        let mut progress = BatchProgress::new(answer.status()?);
        (progress.paused, progress.is_completing) = (answer.next()?, answer.next()?);
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
        let mut command = redis::cmd("HGET");
        command.arg(self.link.name(&key).as_bytes()).arg("plan");
        let json: Option<Vec<u8>> =
            self.link.query(Repeat::Idempotent, operation, &key, &command).await?;
        let Some(json) = json else {
            return Err(self.refuse(BatchRefusal::Missing, operation, batch));
        };
        self.read_plan(batch, &json)
    }

    fn failures(&self, batch: &str) -> FailureStream {
        let (link, batch) = (Arc::clone(&self.link), batch.to_owned());
        let pages = futures_util::stream::unfold(Some(0_u64), move |cursor| {
            let (link, batch) = (Arc::clone(&link), batch.clone());
            async move {
                let cursor = cursor?;
                match failures_from(&link, &batch, cursor).await {
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
        let operation = "remove batch";
        self.link.traffic.wrote(1);
        loop {
            let removed = self.run(&REMOVE, Repeat::Idempotent, operation, batch, |_| {}).await;
            match removed {
                Err(error) if error.kind() == ErrorKind::Unknown => return Ok(false),
                other => {
                    if other?.next()? {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// A page of failures, and the cursor of the next.
async fn failures_from(link: &Link, batch: &str, cursor: u64) -> Result<(u64, Vec<BatchFailure>)> {
    let (operation, key) = ("read failures of batch", format!("{}:errors", key_of(batch)));
    let mut command = redis::cmd("HSCAN");
    command.arg(link.name(&key).as_bytes()).arg(cursor).arg("COUNT").arg(FAILURES_AT_ONCE);
    let (next, fields): (u64, Vec<(String, String)>) =
        link.query(Repeat::Idempotent, operation, &key, &command).await?;
    let failure = |(field, error): (String, String)| {
        let (stage, ordinal) = field.split_once(':')?;
        Some(BatchFailure::new(stage.parse().ok()?, ordinal.parse().ok()?, error))
    };
    Ok((next, fields.into_iter().filter_map(failure).collect()))
}
