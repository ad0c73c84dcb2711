//! Queues on Redis: a few keys under one hash tag, changed by scripts that use the server's clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::{
    LEASES_ENDED_ERROR, check_queue, shorten_task_error, shown_message,
};
use compartment_core::{
    AfterFailure, Claim, ClaimOptions, ClaimedTask, DeadTask, FencingToken, NewTask, QueueCounts,
    QueueStore, Result, Submitted, TaskClass, TaskEnds, TaskId, Timestamp,
};
use redis::{Cmd, FromRedisValue, Value};

use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::{ABSENT, LuaScript, lua_script};
use crate::stores::claimant::{Asked, Claimant};
use crate::stores::queue_answer::{Parts, read_record};

static SUBMIT: LuaScript =
    lua_script!("queue.lua", "queue_time.lua", "queue_lines.lua", "queue_submit.lua");
static CLAIM: LuaScript = lua_script!(
    "queue.lua",
    "queue_time.lua",
    "queue_lines.lua",
    "queue_bury.lua",
    "asked.lua",
    "queue_claim.lua"
);
static WITHDRAW: LuaScript = lua_script!(
    "queue.lua",
    "queue_time.lua",
    "queue_lines.lua",
    "queue_give_back.lua",
    "asked.lua",
    "queue_withdraw.lua"
);
static RENEW: LuaScript = lua_script!("queue.lua", "queue_time.lua", "queue_renew.lua");
static COMPLETE: LuaScript = lua_script!("queue.lua", "queue_complete.lua");
static FAIL: LuaScript =
    lua_script!("queue.lua", "queue_time.lua", "queue_bury.lua", "queue_fail.lua");
static RELEASE: LuaScript =
    lua_script!("queue.lua", "queue_lines.lua", "queue_give_back.lua", "queue_release.lua");
static DEAD: LuaScript = lua_script!("queue.lua", "queue_dead.lua");
static REPLAY: LuaScript =
    lua_script!("queue.lua", "queue_time.lua", "queue_lines.lua", "queue_replay.lua");
static DISCARD: LuaScript = lua_script!("queue.lua", "queue_discard.lua");
static PURGE: LuaScript = lua_script!("queue.lua", "queue_purge.lua");
static PAUSE: LuaScript = lua_script!("queue.lua", "queue_pause.lua");
static COUNT: LuaScript = lua_script!("queue.lua", "queue_count.lua");

/// The keys of a queue, in the order of `queue.lua`.
const KEYS: [&str; 14] = [
    "meta", "tasks", "ready", "heads", "turns", "delayed", "leases", "dead", "attempts", "errors",
    "taken", "holds", "lost", ABSENT,
];
/// Tasks or claims in one script: some milliseconds of the server's time.
const PART: usize = 1_000;

#[derive(Clone, Debug)]
pub(crate) struct RedisQueue {
    link: Arc<Link>,
    claimant: Arc<Claimant>,
}

impl RedisQueue {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, claimant: Claimant::new() }
    }

    /// Runs a script of a queue with the time and `arguments`.
    async fn run<T: FromRedisValue + Send>(
        &self,
        script: &LuaScript,
        repeat: Repeat,
        operation: &'static str,
        queue: &str,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<T> {
        self.run_with(script, repeat, operation, queue, None, arguments).await
    }

    /// Runs a script that also gets the key of the claimant's last requests.
    async fn run_with<T: FromRedisValue + Send>(
        &self,
        script: &LuaScript,
        repeat: Repeat,
        operation: &'static str,
        queue: &str,
        asked: Option<&Asked>,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<T> {
        // The tag is never empty, whatever the name, so all keys are in one slot.
        let name = |key: &str| self.link.name(&format!("{{queue:{queue}}}:{key}")).into_owned();
        let mut names: Vec<String> = KEYS.iter().map(|key| name(key)).collect();
        names.extend(asked.map(|asked| name(&format!("asked:{}", asked.claimant.name()))));
        let time = self.link.script_time();
        let with_time = |command: &mut Cmd| {
            command.arg(&time);
            arguments(command);
        };
        script.run_on(&self.link, repeat, operation, queue, &names, with_time).await
    }

    async fn withdraw(&self, queue: &str, asked: &Asked) -> Result<()> {
        let (operation, repeat) = ("withdraw claim of tasks", Repeat::Idempotent);
        let arguments = |command: &mut Cmd| {
            command.arg(asked.slot).arg(asked.number);
        };
        let handed_back: Result<u64> =
            self.run_with(&WITHDRAW, repeat, operation, queue, Some(asked), arguments).await;
        handed_back.map(drop)
    }

    /// Runs a script that returns for each claim whether it still counted.
    async fn each(
        &self,
        script: &LuaScript,
        repeat: Repeat,
        operation: &'static str,
        queue: &str,
        claims: &[Claim],
        first: Option<u64>,
    ) -> Result<Vec<bool>> {
        check_queue(&self.link.contract, operation, queue)?;
        let mut all = Vec::with_capacity(claims.len());
        for part in claims.chunks(PART) {
            let arguments = |command: &mut Cmd| {
                if let Some(first) = first {
                    command.arg(first);
                }
                for claim in part {
                    command.arg(claim_text(*claim));
                }
            };
            let some: Vec<bool> = self.run(script, repeat, operation, queue, arguments).await?;
            all.extend(some);
        }
        if all.len() != claims.len() {
            return Err(self.link.unexpected(
                operation,
                queue,
                "an answer for each claim is missing",
            ));
        }
        Ok(all)
    }

    /// Runs a script on dead tasks; returns their number.
    async fn count_each(
        &self,
        script: &LuaScript,
        operation: &'static str,
        queue: &str,
        tasks: &[TaskId],
    ) -> Result<u64> {
        check_queue(&self.link.contract, operation, queue)?;
        let mut count = 0;
        for part in tasks.chunks(PART) {
            let arguments = |command: &mut Cmd| {
                for id in part {
                    command.arg(digits(id.number()));
                }
            };
            let repeat = Repeat::OnlyIfNotSent;
            count += self.run::<u64>(script, repeat, operation, queue, arguments).await?;
        }
        Ok(count)
    }

    /// Reads the parts of an answer in order.
    fn parts(&self, operation: &'static str, queue: &str, answer: Vec<Value>) -> Parts<'_> {
        Parts { link: &self.link, operation, queue: queue.to_owned(), rest: answer.into_iter() }
    }
}

#[async_trait]
impl QueueStore for RedisQueue {
    async fn submit(&self, queue: &str, tasks: Vec<NewTask>) -> Result<Vec<Submitted>> {
        const OPERATION: &str = "submit task";
        check_queue(&self.link.contract, OPERATION, queue)?;
        let delays = NewTask::check_all(&tasks, &self.link.contract, queue)?;
        self.link.traffic.wrote(tasks.len() as u64);
        let mut submitted = Vec::with_capacity(tasks.len());
        for (tasks, delays) in tasks.chunks(PART).zip(delays.chunks(PART)) {
            let arguments = |command: &mut Cmd| {
                for (task, delay) in tasks.iter().zip(delays) {
                    command.arg(line(task)).arg(*delay);
                    command.arg(task.deduplication_key.as_deref().unwrap_or_default());
                    command.arg(task.payload.as_ref());
                }
            };
            let answer =
                self.run(&SUBMIT, Repeat::OnlyIfNotSent, OPERATION, queue, arguments).await?;
            let mut parts = self.parts(OPERATION, queue, answer);
            for _ in tasks {
                let id = TaskId::from_number(parts.next()?);
                submitted.push(Submitted::new(id, parts.next()?));
            }
        }
        Ok(submitted)
    }

    async fn claim(&self, queue: &str, options: ClaimOptions) -> Result<Vec<ClaimedTask>> {
        const OPERATION: &str = "claim tasks";
        check_queue(&self.link.contract, OPERATION, queue)?;
        let lease = options.check(&self.link.contract, queue)?;
        let (claimant, name) = (Arc::clone(&self.claimant), Arc::<str>::from(queue));
        let asking = self.claimant.ask(&self.link, move |link, asked| {
            let store = Self { link, claimant: Arc::clone(&claimant) };
            let name = Arc::clone(&name);
            Box::pin(async move { store.withdraw(&name, &asked).await })
        });
        let asked = asking.asked();
        let arguments = |command: &mut Cmd| {
            command.arg(options.max_tasks).arg(lease).arg(options.max_lost).arg(LEASES_ENDED_ERROR);
            for class in TaskClass::ALL {
                command.arg(class.slack().as_millis() as u64);
            }
            command.arg(asked.slot).arg(asked.number);
        };
        // A repeated request would claim tasks for nobody.
        let repeat = Repeat::OnlyIfNotSent;
        let answer = self.run_with(&CLAIM, repeat, OPERATION, queue, Some(asked), arguments).await;
        let answer = asking.answered(answer)?;
        let mut parts = self.parts(OPERATION, queue, answer);
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let token = FencingToken::from_number(parts.next()?);
        let (ids, records): (Vec<u64>, Vec<Option<Bytes>>) = (parts.next()?, parts.next()?);
        // A queue in which no task ever ended badly has no lists of how they did.
        let mut ends = || match parts.is_empty() {
            true => Ok(Vec::new()),
            false => parts.next::<Vec<Option<u32>>>(),
        };
        let (failed, lost) = (ends()?, ends()?);
        let times = |list: &[Option<u32>], at: usize| list.get(at).copied().flatten().unwrap_or(0);
        let mut claimed = Vec::with_capacity(ids.len());
        for (at, (id, record)) in ids.into_iter().zip(records).enumerate() {
            let Some(record) = record else { continue };
            let record = read_record(&record).ok_or_else(|| parts.no_record())?;
            let ended = TaskEnds { failed: times(&failed, at), lost: times(&lost, at) };
            claimed.push(record.claimed(Claim::new(TaskId::from_number(id), token), ended));
        }
        Ok(claimed)
    }

    async fn renew(&self, queue: &str, claims: &[Claim], lease: Duration) -> Result<Vec<bool>> {
        check_queue(&self.link.contract, "renew claims", queue)?;
        let lease = self.link.contract.millis("renew claims", queue, lease)?;
        let repeat = Repeat::Idempotent;
        self.each(&RENEW, repeat, "renew claims", queue, claims, Some(lease)).await
    }

    async fn complete(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>> {
        let repeat = Repeat::OnlyIfNotSent;
        self.each(&COMPLETE, repeat, "complete tasks", queue, claims, None).await
    }

    async fn fail(
        &self,
        queue: &str,
        claim: Claim,
        error: &str,
        then: AfterFailure,
    ) -> Result<bool> {
        const OPERATION: &str = "fail task";
        check_queue(&self.link.contract, OPERATION, queue)?;
        let pause = match then {
            AfterFailure::Bury => String::new(),
            AfterFailure::Retry(pause) if pause.is_zero() => "0".to_owned(),
            AfterFailure::Retry(pause) => {
                self.link.contract.millis(OPERATION, queue, pause)?.to_string()
            }
        };
        let arguments = |command: &mut Cmd| {
            command.arg(claim_text(claim)).arg(shorten_task_error(error)).arg(&pause);
        };
        self.run(&FAIL, Repeat::OnlyIfNotSent, OPERATION, queue, arguments).await
    }

    async fn release(&self, queue: &str, claims: &[Claim]) -> Result<Vec<bool>> {
        let repeat = Repeat::OnlyIfNotSent;
        self.each(&RELEASE, repeat, "release tasks", queue, claims, None).await
    }

    async fn dead(&self, queue: &str, skip: u64, max: u32) -> Result<Vec<DeadTask>> {
        const OPERATION: &str = "list dead tasks";
        check_queue(&self.link.contract, OPERATION, queue)?;
        let mut dead = Vec::new();
        // No script handles more than a part, however many tasks its caller requests.
        while dead.len() < max as usize {
            let from = skip.saturating_add(dead.len() as u64).min(u64::from(u32::MAX));
            let part = PART.min(max as usize - dead.len());
            let arguments = |command: &mut Cmd| {
                command.arg(from).arg(part);
            };
            let answer = self.run(&DEAD, Repeat::Idempotent, OPERATION, queue, arguments).await?;
            let (mut parts, before) = (self.parts(OPERATION, queue, answer), dead.len());
            while !parts.is_empty() {
                let id = TaskId::from_number(parts.next()?);
                let died_at = Timestamp::from_millis(parts.next()?);
                let ended = TaskEnds { failed: parts.next()?, lost: parts.next()? };
                let error: String = parts.next()?;
                let error = shown_message(&error).to_owned();
                dead.push(parts.record()?.dead(id, ended, died_at, error));
            }
            if dead.len() - before < part {
                break;
            }
        }
        Ok(dead)
    }

    async fn replay(&self, queue: &str, tasks: &[TaskId]) -> Result<u64> {
        self.count_each(&REPLAY, "replay tasks", queue, tasks).await
    }

    async fn discard(&self, queue: &str, tasks: &[TaskId]) -> Result<u64> {
        self.count_each(&DISCARD, "discard tasks", queue, tasks).await
    }

    async fn purge(&self, queue: &str) -> Result<u64> {
        check_queue(&self.link.contract, "purge queue", queue)?;
        self.run(&PURGE, Repeat::OnlyIfNotSent, "purge queue", queue, |_| {}).await
    }

    async fn set_paused(&self, queue: &str, is_paused: bool) -> Result<()> {
        check_queue(&self.link.contract, "pause queue", queue)?;
        let arguments = |command: &mut Cmd| {
            command.arg(i32::from(is_paused));
        };
        let repeat = Repeat::Idempotent;
        self.run::<Value>(&PAUSE, repeat, "pause queue", queue, arguments).await.map(drop)
    }

    async fn counts(&self, queue: &str) -> Result<QueueCounts> {
        check_queue(&self.link.contract, "count tasks", queue)?;
        let (waiting, delayed, claimed, dead, is_paused) =
            self.run(&COUNT, Repeat::Idempotent, "count tasks", queue, |_| {}).await?;
        Ok(QueueCounts::new(waiting, delayed, claimed, dead, is_paused))
    }
}

/// The line of a task: class, length of the group's name, the name. See `queue.lua`.
fn line(task: &NewTask) -> String {
    format!("{}{:03}{}", task.class.place(), task.group.len(), task.group)
}

fn digits(number: u64) -> String {
    format!("{number:016}")
}

fn claim_text(claim: Claim) -> String {
    digits(claim.id.number()) + &digits(claim.token.number())
}
