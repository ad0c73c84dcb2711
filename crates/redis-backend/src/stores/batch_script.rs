//! Runs the scripts of batches, for all batches of a database or for one birth token.

use std::sync::Arc;

use compartment_core::backend::BatchRefusal;
use compartment_core::{BatchPlan, Codec, Error, ErrorKind, FencingToken, Result};
use redis::{Cmd, Value};

use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::{ABSENT, LuaScript, lua_script};
use crate::stores::batch_answer::Answer;
use crate::stores::claimant::{Asked, Claimant};

static WITHDRAW: LuaScript =
    lua_script!("batch_open.lua", "asked.lua", "batch_back.lua", "batch_withdraw.lua");

/// Bytes of a plan that are read: sixteen stages with the longest names have fewer.
const MAX_PLAN: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct RedisBatch {
    pub(crate) link: Arc<Link>,
    claimant: Arc<Claimant>,
    /// If set, only the batch with this birth token is visible.
    pub(crate) born: Option<u64>,
}

/// The key of a batch's hash; its other keys begin with it. The tag is never empty, whatever the name, so all keys
/// are in one slot.
pub(crate) fn key_of(batch: &str) -> String {
    format!("{{batch:{batch}}}")
}

impl RedisBatch {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, claimant: Claimant::new(), born: None }
    }

    pub(crate) fn of_birth(&self, token: FencingToken) -> Self {
        Self { born: Some(token.number()), ..self.clone() }
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
        let mut time = self.link.script_time();
        if let Some(born) = self.born {
            time = format!("{time}/{born}");
        }
        let all = |command: &mut Cmd| {
            command.arg(&time);
            arguments(command);
        };
        let answer = self.send(script, repeat, operation, batch, all).await?;
        self.read(answer, operation, batch)
    }

    /// Runs a script on the keys of a batch.
    pub(crate) async fn send(
        &self,
        script: &LuaScript,
        repeat: Repeat,
        operation: &'static str,
        batch: &str,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Vec<Value>> {
        let key = key_of(batch);
        let absent = format!("{key}:{ABSENT}");
        let names = [self.link.name(&key), self.link.name(&absent)];
        script.run_on(&self.link, repeat, operation, &key, &names, arguments).await
    }

    pub(crate) fn read<'a>(
        &'a self,
        answer: Vec<Value>,
        operation: &'static str,
        batch: &'a str,
    ) -> Result<Answer<'a>> {
        let mut answer = Answer::new(answer, &self.link, operation, batch);
        let refusal = match answer.next::<String>()?.as_str() {
            "ok" => return Ok(answer),
            "missing" => BatchRefusal::Missing,
            "former" => BatchRefusal::Former,
            "sealed" => BatchRefusal::Sealed,
            "full" => BatchRefusal::Full,
            "no stage" => BatchRefusal::NoStage,
            "no group" => BatchRefusal::NoGroup,
            _ => BatchRefusal::OtherType,
        };
        Err(self.refuse(refusal, operation, batch))
    }

    /// A batch has more keys than a request can name, so its keys cannot be moved from another place.
    pub(crate) fn check_place(&self, operation: &'static str, batch: &str) -> Result<()> {
        let arrives = self.link.arrival().is_some_and(|arrival| arrival.concerns(&key_of(batch)));
        if !arrives {
            return Ok(());
        }
        let what = "its database has a previous place, which batches do not support; finish or remove \
                    the batches there, and remove `previous`";
        Err(self.link.contract.error(ErrorKind::Unsupported, operation, batch, what))
    }

    /// Reads a plan, which anybody with access to the database may have written.
    pub(crate) fn read_plan(&self, batch: &str, json: &[u8]) -> Result<BatchPlan> {
        let unreadable = |what: String| Error::new(ErrorKind::Decode, "read plan of batch", what);
        let read = match json.len() {
            length if length > MAX_PLAN => Err(unreadable("it is too long".to_owned())),
            _ => Codec::decode::<BatchPlan>(json),
        };
        let checked = read.and_then(|plan| match plan.check() {
            Ok(()) => Ok(plan),
            Err(error) => Err(unreadable(error.message().to_owned())),
        });
        checked.map_err(|error| error.in_database(self.link.contract.name.as_str()).at_key(batch))
    }

    pub(crate) fn refuse(
        &self,
        refusal: BatchRefusal,
        operation: &'static str,
        batch: &str,
    ) -> Error {
        refusal.error(&self.link.contract, operation, batch)
    }

    /// Sends a claim. If its answer is lost, the claimed items are handed back.
    pub(crate) async fn ask<T>(
        &self,
        batch: &str,
        send: impl AsyncFnOnce(&Asked) -> Result<T>,
    ) -> Result<T> {
        let (claimant, born) = (Arc::clone(&self.claimant), self.born);
        let name: Arc<str> = batch.into();
        let asking = self.claimant.ask(&self.link, move |link, asked| {
            let store = Self { link, claimant: Arc::clone(&claimant), born };
            let name = Arc::clone(&name);
            Box::pin(async move { store.withdraw(&name, &asked).await })
        });
        let answer = send(asking.asked()).await;
        asking.answered(answer)
    }

    async fn withdraw(&self, batch: &str, asked: &Asked) -> Result<()> {
        let operation = "withdraw claim of batch";
        let arguments = |command: &mut Cmd| named(command, asked);
        match self.run(&WITHDRAW, Repeat::Idempotent, operation, batch, arguments).await {
            // The batch and all its claims are gone.
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(()),
            withdrawn => withdrawn.map(drop),
        }
    }
}

/// Adds the name of a claiming request to its arguments.
pub(crate) fn named(command: &mut Cmd, asked: &Asked) {
    command.arg(asked.claimant.name()).arg(asked.slot).arg(asked.number);
}
