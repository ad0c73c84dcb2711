//! The entries, outboxes and audits of batches on Redis.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::{BatchRefusal, ordinals_from_text, shown_message, shown_name};
use compartment_core::{
    BatchAudit, BatchUpkeepStore, FencingToken, MAX_AT_ONCE, OutboxEntry, OutboxFact, RestoredFact,
    Result,
};
use redis::Cmd;

use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};
use crate::stores::batch_answer::Answer;
use crate::stores::batch_script::RedisBatch;

static ENTRIES: LuaScript = lua_script!("batch_open.lua", "batch_entries.lua");
static OUTBOX: LuaScript = lua_script!("batch_open.lua", "batch_outbox.lua");
static RESTORE: LuaScript =
    lua_script!("batch_open.lua", "batch_news.lua", "batch_finish.lua", "batch_restore.lua");
static REPAIR: LuaScript = lua_script!("batch_open.lua", "batch_news.lua", "batch_repair.lua");

impl RedisBatch {
    async fn outbox_count(
        &self,
        operation: &'static str,
        batch: &str,
        what: &[&str],
    ) -> Result<u64> {
        let arguments = |command: &mut Cmd| {
            command.arg(what);
        };
        self.run(&OUTBOX, Repeat::Idempotent, operation, batch, arguments).await?.next()
    }
}

/// Whether the text is a valid stream id.
pub(crate) fn is_stream_id(id: &str) -> bool {
    let is_number =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u64>().is_ok();
    id.split_once('-').is_some_and(|(time, number)| is_number(time) && is_number(number))
}

/// The fields of a stream entry.
pub(crate) type Fields = HashMap<String, Vec<u8>>;

/// A field's value as text; empty if it is missing.
pub(crate) fn text_of(fields: &Fields, name: &str) -> String {
    fields.get(name).map_or(String::new(), |value| String::from_utf8_lossy(value).into_owned())
}

fn fact_of(mut fields: Fields, answer: &Answer<'_>) -> Result<OutboxFact> {
    let number = |name: &str| {
        let lacks = || answer.unexpected(&format!("an entry of the outbox lacks its {name}"));
        text_of(&fields, name).parse::<u64>().map_err(|_| lacks())
    };
    let ordinals = |name: &str| {
        let mut ordinals = ordinals_from_text(&text_of(&fields, name))?;
        ordinals.sort_unstable();
        Ok(ordinals)
    };
    let stage = usize::try_from(number("stage")?).unwrap_or(usize::MAX);
    match text_of(&fields, "fact").as_str() {
        "settled" => {
            let token = FencingToken::from_number(number("token")?);
            let refused = ordinals("refused")?;
            let note = fields.remove("note").unwrap_or_default().into();
            Ok(OutboxFact::Settled { stage, token, refused, note })
        }
        "lost" => {
            let ordinals = ordinals("documents")?;
            let error = shown_message(&text_of(&fields, "error")).to_owned();
            Ok(OutboxFact::Lost { stage, ordinals, error })
        }
        "retried" => Ok(OutboxFact::Retried { stage, ordinals: ordinals("documents")? }),
        other => {
            let other = shown_name(other);
            Err(answer.unexpected(&format!("unknown fact {other:?}: a newer version wrote it")))
        }
    }
}

#[async_trait]
impl BatchUpkeepStore for RedisBatch {
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore> {
        Arc::new(self.of_birth(token))
    }

    async fn entries(&self, batch: &str, from: u32, max: usize) -> Result<Vec<Bytes>> {
        let operation = "read entries of batch";
        BatchRefusal::unless_few(max, &self.link.contract, operation, batch)?;
        let arguments = |command: &mut Cmd| {
            command.arg(from).arg(max);
        };
        let mut answer =
            self.run(&ENTRIES, Repeat::Idempotent, operation, batch, arguments).await?;
        let mut entries = Vec::with_capacity(answer.len());
        while !answer.is_empty() {
            entries.push(answer.next::<Vec<u8>>()?.into());
        }
        Ok(entries)
    }

    async fn outbox(&self, batch: &str, max: usize) -> Result<Vec<OutboxEntry>> {
        let operation = "read outbox of batch";
        BatchRefusal::unless_few(max, &self.link.contract, operation, batch)?;
        let arguments = |command: &mut Cmd| {
            command.arg("read").arg(max);
        };
        let mut answer = self.run(&OUTBOX, Repeat::Idempotent, operation, batch, arguments).await?;
        let mut entries = Vec::with_capacity(answer.len() / 2);
        while !answer.is_empty() {
            let (id, fields) = (answer.next()?, answer.next()?);
            entries.push(OutboxEntry::new(id, fact_of(fields, &answer)?));
        }
        Ok(entries)
    }

    async fn clear_outbox(&self, batch: &str, ids: &[String]) -> Result<u64> {
        let operation = "clear outbox of batch";
        BatchRefusal::unless_few(ids.len(), &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let ids = ids.iter().map(String::as_str).filter(|id| is_stream_id(id));
        let what: Vec<&str> = std::iter::once("clear").chain(ids).collect();
        self.outbox_count(operation, batch, &what).await
    }

    async fn outbox_len(&self, batch: &str) -> Result<u64> {
        self.outbox_count("measure outbox of batch", batch, &["count"]).await
    }

    async fn restore(
        &self,
        batch: &str,
        stage: usize,
        facts: Vec<(u32, RestoredFact)>,
    ) -> Result<u64> {
        let operation = "restore in batch";
        BatchRefusal::unless_few(facts.len(), &self.link.contract, operation, batch)?;
        self.link.traffic.wrote(1);
        let arguments = |command: &mut Cmd| {
            command.arg(stage);
            for (ordinal, fact) in &facts {
                match fact {
                    RestoredFact::Dead { error } => command.arg("dead").arg(ordinal).arg(error),
                    _ => command.arg(ordinal),
                };
            }
        };
        self.run(&RESTORE, Repeat::Idempotent, operation, batch, arguments).await?.next()
    }

    async fn audit(&self, batch: &str) -> Result<BatchAudit> {
        self.audit_of(batch).await
    }

    async fn repair(&self, batch: &str, audit: &BatchAudit) -> Result<bool> {
        let operation = "repair batch";
        let mut repairs = audit.repairs;
        let mut drift: Vec<(&str, i64)> = Vec::new();
        for one in &audit.drift {
            drift.push((one.counter.as_str(), one.facts.saturating_sub(one.counted)));
        }
        let mut pages = audit.stranded.chunks(MAX_AT_ONCE / 2);
        loop {
            let stranded = pages.next().unwrap_or_default();
            self.link.traffic.wrote(1);
            let arguments = |command: &mut Cmd| {
                command.arg(repairs).arg(audit.born).arg(drift.len());
                for (counter, by) in &drift {
                    command.arg(counter).arg(by);
                }
                for (stage, ordinal) in stranded {
                    command.arg(stage).arg(ordinal);
                }
            };
            let repeat = Repeat::OnlyIfNotSent;
            let mut answer = self.run(&REPAIR, repeat, operation, batch, arguments).await?;
            if !answer.next::<bool>()? {
                return Ok(false);
            }
            if pages.len() == 0 {
                return Ok(true);
            }
            // Each further page is a separate repair.
            (repairs, drift) = (repairs + 1, Vec::new());
        }
    }

    async fn remove_ended(&self, batch: &str) -> Result<bool> {
        let operation = "remove ended batch";
        match self.remove_all(operation, batch, "ended").await? {
            Some(said) => Ok(said == 1),
            None => Err(self.refuse(BatchRefusal::Missing, operation, batch)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_stream_is_known() {
        assert!(is_stream_id("1790000000000-0"));
        for other in ["", "1", "-", "1-", "1-x", "+1-1", "1-1-1", "99999999999999999999-0"] {
            assert!(!is_stream_id(other), "{other}");
        }
    }
}
