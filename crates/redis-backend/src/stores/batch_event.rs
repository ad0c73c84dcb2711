//! Events of batches on Redis: one stream for each batch, read by scripts that check whether it exists.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{BatchRefusal, ordinals_from_text, shown_message, shown_name};
use compartment_core::{BatchEvent, BatchEventKind, BatchEventStore, Result};
use redis::Cmd;

use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};
use crate::stores::batch_answer::Answer;
use crate::stores::batch_script::RedisBatch;
use crate::stores::batch_upkeep::{Fields, is_stream_id, text_of};

static EVENTS: LuaScript = lua_script!("batch_open.lua", "batch_events.lua");
static GROUP: LuaScript = lua_script!("batch_open.lua", "batch_group.lua");

/// The events in the rest of an answer.
fn events_of(mut answer: Answer<'_>) -> Result<Vec<BatchEvent>> {
    let mut events = Vec::with_capacity(answer.len() / 2);
    while !answer.is_empty() {
        let (id, fields): (String, Fields) = (answer.next()?, answer.next()?);
        let name = text_of(&fields, "event");
        let Some(kind) = BatchEventKind::ALL.into_iter().find(|kind| kind.name() == name) else {
            let name = shown_name(&name);
            let what = format!("unknown event {name:?}: a newer version wrote it");
            return Err(answer.unexpected(&what));
        };
        let mut event = BatchEvent::new(id, kind);
        event.ordinals = ordinals_from_text(&text_of(&fields, "documents"))?;
        let text = |name: &str| fields.contains_key(name).then(|| text_of(&fields, name));
        event.stage = text("stage").map(|stage| shown_name(&stage));
        event.error = text("error").map(|error| shown_message(&error).to_owned());
        events.push(event);
    }
    Ok(events)
}

impl RedisBatch {
    /// Delivers events to a consumer of a group.
    async fn hand_out(
        &self,
        operation: &'static str,
        batch: &str,
        max: usize,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Vec<BatchEvent>> {
        BatchRefusal::unless_few(max, &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        // If it were repeated, the events of the first request would be delivered to nobody until they are taken
        // over.
        events_of(self.run(&GROUP, Repeat::OnlyIfNotSent, operation, batch, arguments).await?)
    }
}

#[async_trait]
impl BatchEventStore for RedisBatch {
    async fn events(
        &self,
        batch: &str,
        after: Option<String>,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let operation = "read events of batch";
        BatchRefusal::unless_few(max, &self.link.contract, operation, batch)?;
        if after.as_deref().is_some_and(|id| !is_stream_id(id)) {
            return Err(self.refuse(BatchRefusal::NoEventId, operation, batch));
        }
        let after = after.unwrap_or_default();
        let arguments = |command: &mut Cmd| {
            command.arg(max).arg(&after);
        };
        events_of(self.run(&EVENTS, Repeat::Idempotent, operation, batch, arguments).await?)
    }

    async fn join(&self, batch: &str, group: &str) -> Result<bool> {
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(group).arg("join");
        };
        let (repeat, operation) = (Repeat::OnlyIfNotSent, "join events of batch");
        self.run(&GROUP, repeat, operation, batch, arguments).await?.next()
    }

    async fn next(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let arguments = |command: &mut Cmd| {
            command.arg(group).arg("next").arg(consumer).arg(max);
        };
        self.hand_out("take events of batch", batch, max, arguments).await
    }

    async fn acknowledge(&self, batch: &str, group: &str, ids: &[String]) -> Result<u64> {
        let operation = "acknowledge events of batch";
        BatchRefusal::unless_few(ids.len(), &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(group).arg("acknowledge");
            for id in ids.iter().filter(|id| is_stream_id(id)) {
                command.arg(id);
            }
        };
        self.run(&GROUP, Repeat::Idempotent, operation, batch, arguments).await?.next()
    }

    async fn take_over(
        &self,
        batch: &str,
        group: &str,
        consumer: &str,
        idle: Duration,
        max: usize,
    ) -> Result<Vec<BatchEvent>> {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX).min(1 << 52);
        let arguments = |command: &mut Cmd| {
            command.arg(group).arg("take").arg(consumer).arg(max).arg(idle);
        };
        self.hand_out("take over events of batch", batch, max, arguments).await
    }
}
