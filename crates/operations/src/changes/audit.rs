//! The log of changes: who changed which database, by which plan, and how it ended.

use std::collections::BTreeMap;

use compartment::ErrorKind;
use compartment::database_map::{Role, Scheme};
use compartment_admin::{
    AdminError, LogEntry, Place, append_to_log, places, printable, printable_in_json, read_log,
};
use serde::Serialize;
use serde_json::Value;

use super::{Actor, Change, ChangeError, Changes, PlannedChange};
use crate::{Operations, OperationsError};

/// The longest field of an entry, in bytes.
const MAX_FIELD: usize = 2_048;
/// The most entries that are read.
const MAX_READ: usize = 10_000;

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It began, and no end is known: it goes on, or its process ended.
    Begun,
    /// It was made.
    Done,
    /// It was refused, and nothing was changed.
    Refused,
    /// It failed; a part may have been changed.
    Failed,
}

impl AuditOutcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn of(word: &str) -> Self {
        let all = [Self::Done, Self::Refused, Self::Failed];
        all.into_iter().find(|one| one.word() == word).unwrap_or(Self::Begun)
    }
}

/// A change in the log.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// When it began, by the server's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// When it ended; `None` if no end is known.
    pub ended_ms: Option<u64>,
    /// Who.
    pub who: String,
    /// The plan's id; empty for a change without a plan.
    pub plan_id: String,
    /// The change with its arguments.
    pub change: Value,
    /// What it was to touch, in one sentence.
    pub summary: String,
    /// The server and the place on it.
    pub server: String,
    /// How many keys, documents or settings were counted.
    pub count: u64,
    /// The digest of what was counted.
    pub digest: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The state before.
    pub before: Value,
    /// The state after.
    pub after: Value,
    /// What was done, or why it was not.
    pub detail: String,
}

/// The end of a change, for the log.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) outcome: AuditOutcome,
    pub(super) after: &'a Value,
    pub(super) detail: &'a str,
}

impl Changes {
    /// Writes that a plan is acted on. Without this entry nothing is changed.
    pub(super) async fn log_begin(
        &self,
        plan: &PlannedChange,
        before: &Value,
        actor: &Actor,
    ) -> Result<(), ChangeError> {
        let end = End { outcome: AuditOutcome::Begun, after: &Value::Null, detail: "" };
        match self.log(plan, before, actor, &end).await {
            Ok(()) => Ok(()),
            // More memory, or fewer keys, may be just what lets the log be written again.
            Err(error) if self.frees_the_log(&plan.change, &error).await => {
                tracing::warn!(plan = plan.id, %error, "the log of changes is full");
                Ok(())
            }
            Err(error) => Err(ChangeError::NotLogged(error.to_string())),
        }
    }

    /// Writes how it ended; `false` if that failed.
    pub(super) async fn log_end(
        &self,
        plan: &PlannedChange,
        before: &Value,
        actor: &Actor,
        end: &End<'_>,
    ) -> bool {
        let written = self.log(plan, before, actor, end).await;
        if let Err(error) = &written {
            tracing::error!(plan = plan.id, %error, "the end of a change is not in the log of changes");
        }
        written.is_ok()
    }

    async fn log(
        &self,
        plan: &PlannedChange,
        before: &Value,
        actor: &Actor,
        end: &End<'_>,
    ) -> Result<(), OperationsError> {
        let outcome = end.outcome.word();
        let (who, id, summary) = (&actor.name, &plan.id, &plan.summary);
        tracing::info!(who, plan = id, outcome, summary, detail = end.detail, "change");
        let Some(place) = log_place(self.operations()).await? else { return Ok(()) };
        let cut = |text: &str| shortened(&printable(text));
        let json = |value: &Value| shortened(&printable_in_json(&value.to_string()));
        let change = serde_json::to_value(&plan.change).unwrap_or_default();
        let fields = [
            ("who", cut(who)),
            ("plan", cut(id)),
            ("change", json(&change)),
            ("summary", cut(summary)),
            ("server", cut(&plan.server)),
            ("count", plan.count.to_string()),
            ("digest", cut(&plan.digest)),
            ("outcome", outcome.to_owned()),
            ("before", json(before)),
            ("after", json(end.after)),
            ("detail", cut(end.detail)),
        ];
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(append_to_log(&place, &fields).await?)
    }

    /// Whether the log's own server is full, and the change is one that frees its memory or gives it more.
    async fn frees_the_log(&self, change: &Change, error: &OperationsError) -> bool {
        let kind = match error {
            OperationsError::Store(error) | OperationsError::Admin(AdminError::Server(error)) => {
                error.kind()
            }
            _ => return false,
        };
        if kind != ErrorKind::OutOfMemory {
            return false;
        }
        let Some(metrics) = self.map().database(self.map().roles().database(Role::Metrics)) else {
            return false;
        };
        let of_log = metrics.placement.instance();
        match change {
            Change::CleanupCache { database, .. } | Change::FlushDatabase { database, .. } => {
                let contract = self.map().database(database);
                contract.is_some_and(|contract| contract.placement.instance() == of_log)
            }
            Change::SetMemoryLimit { instance, .. } => {
                let server = places::server(self.map(), instance.as_deref());
                server.is_ok_and(|(name, _)| name == of_log)
            }
            _ => false,
        }
    }
}

impl Operations {
    /// The newest changes first, at most `limit`: those since `since_ms`, or all that the log has. `None` where the map
    /// has no database `metrics` on a server: then changes are only in the process's own log.
    ///
    /// # Errors
    /// The server's.
    pub async fn audit(
        &self,
        since_ms: Option<u64>,
        limit: usize,
    ) -> Result<Option<Vec<AuditEntry>>, OperationsError> {
        let Some(place) = log_place(self).await? else { return Ok(None) };
        // A change has an entry for its begin and one for its end.
        let read = read_log(&place, since_ms, limit.saturating_mul(2).min(MAX_READ)).await?;
        let mut entries: Vec<AuditEntry> = Vec::new();
        let mut ended: BTreeMap<String, usize> = BTreeMap::new();
        for entry in read {
            let found = entry_of(&entry);
            if found.outcome == AuditOutcome::Begun
                && let Some(at) = ended.remove(&found.plan_id)
            {
                let end = &mut entries[at];
                end.at_ms = found.at_ms;
                continue;
            }
            if found.outcome != AuditOutcome::Begun && !found.plan_id.is_empty() {
                ended.insert(found.plan_id.clone(), entries.len());
            }
            entries.push(found);
        }
        entries.truncate(limit);
        Ok(Some(entries))
    }
}

fn entry_of(entry: &LogEntry) -> AuditEntry {
    let text = |name: &str| entry.fields.get(name).cloned().unwrap_or_default();
    // A field that was cut is shown as text.
    let json = |name: &str| {
        let text = text(name);
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    let outcome = AuditOutcome::of(&text("outcome"));
    AuditEntry {
        at_ms: entry.at_ms,
        ended_ms: (outcome != AuditOutcome::Begun).then_some(entry.at_ms),
        who: printable(&text("who")),
        plan_id: printable(&text("plan")),
        change: json("change"),
        summary: printable(&text("summary")),
        server: printable(&text("server")),
        count: text("count").parse().unwrap_or_default(),
        digest: printable(&text("digest")),
        outcome,
        before: json("before"),
        after: json("after"),
        detail: printable(&text("detail")),
    }
}

/// Where the log is: in the database of metrics, if the map has it on a server.
async fn log_place(operations: &Operations) -> Result<Option<Place>, OperationsError> {
    let map = operations.map();
    let Some(metrics) = map.database(map.roles().database(Role::Metrics)) else { return Ok(None) };
    let instance = map.instances().get(metrics.placement.instance());
    if instance.is_none_or(|instance| instance.url.scheme() == Scheme::Memory) {
        return Ok(None);
    }
    Ok(Some(places::resolve(map, &metrics.name).await?))
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_FIELD {
        return text.to_owned();
    }
    let mut end = MAX_FIELD;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_is_not_known_has_no_end() {
        for outcome in
            [AuditOutcome::Begun, AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Failed]
        {
            assert_eq!(AuditOutcome::of(outcome.word()), outcome);
        }
        assert_eq!(AuditOutcome::of("vanished"), AuditOutcome::Begun);
    }

    #[test]
    fn a_long_field_is_cut_between_characters() {
        let text = shortened(&"é".repeat(MAX_FIELD));
        assert!(text.ends_with('…') && text.len() <= MAX_FIELD + '…'.len_utf8());
        assert_eq!(shortened("short"), "short");
    }
}
