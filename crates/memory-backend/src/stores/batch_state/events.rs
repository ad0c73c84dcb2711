//! Events of a batch in memory: the latest ones within the size limit, and the deliveries to groups of consumers.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use compartment_core::backend::{BatchRefusal, ordinals_to_text};
use compartment_core::{BatchEvent, BatchEventKind};

use super::outbox::{name, number};

#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: BTreeMap<u64, BatchEvent>,
    last: u64,
    bytes: u64,
    groups: HashMap<String, Group>,
}

/// A group of consumers that share events.
#[derive(Debug, Default)]
struct Group {
    /// The last event delivered to one of them.
    handed_out: u64,
    /// Unacknowledged events, with the millisecond of their delivery.
    pending: BTreeMap<u64, u64>,
}

/// The size of the names and values of the fields, as in a stream on Redis.
fn weight(event: &BatchEvent) -> u64 {
    let documents = ordinals_to_text(&event.ordinals);
    let field = |name: &str, value: &str| (name.len() + value.len()) as u64;
    let optional =
        |name: &str, value: &Option<String>| value.as_deref().map_or(0, |value| field(name, value));
    field("event", event.kind.name())
        + field("documents", &documents)
        + optional("stage", &event.stage)
        + optional("error", &event.error)
}

impl Events {
    /// No events, with ids above those of any earlier batch of the name.
    pub(super) fn numbered_from(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    /// Adds an event, and removes the oldest ones beyond `max` bytes.
    pub(super) fn add(&mut self, mut event: BatchEvent, max: u64) {
        self.last += 1;
        event.id = name(self.last);
        self.bytes += weight(&event);
        self.kept.insert(self.last, event);
        while self.bytes > max {
            let Some((_, gone)) = self.kept.pop_first() else { break };
            self.bytes -= weight(&gone);
        }
    }

    pub(crate) fn after(
        &self,
        id: Option<&str>,
        max: usize,
    ) -> Result<Vec<BatchEvent>, BatchRefusal> {
        let after = match id {
            Some(id) => number(id).ok_or(BatchRefusal::NoEventId)?,
            None => 0,
        };
        Ok(self.behind(after).take(max).map(|(_, event)| event.clone()).collect())
    }

    fn behind(&self, id: u64) -> impl Iterator<Item = (&u64, &BatchEvent)> {
        self.kept.range((Bound::Excluded(id), Bound::Unbounded))
    }

    pub(crate) fn join(&mut self, group: &str) -> bool {
        if self.groups.contains_key(group) {
            return false;
        }
        self.groups.insert(group.to_owned(), Group::default());
        true
    }

    pub(crate) fn next(
        &mut self,
        group: &str,
        max: usize,
        now: u64,
    ) -> Result<Vec<BatchEvent>, BatchRefusal> {
        let from = self.groups.get(group).ok_or(BatchRefusal::NoGroup)?.handed_out;
        let found = self.behind(from).take(max).map(|(id, event)| (*id, event.clone()));
        let found: Vec<(u64, BatchEvent)> = found.collect();
        let group = self.groups.get_mut(group).ok_or(BatchRefusal::NoGroup)?;
        for (id, _) in &found {
            group.handed_out = *id;
            group.pending.insert(*id, now);
        }
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }

    pub(crate) fn acknowledge(&mut self, group: &str, ids: &[String]) -> Result<u64, BatchRefusal> {
        let group = self.groups.get_mut(group).ok_or(BatchRefusal::NoGroup)?;
        let were_pending = ids.iter().filter_map(|id| group.pending.remove(&number(id)?));
        Ok(were_pending.count() as u64)
    }

    pub(crate) fn take_over(
        &mut self,
        group: &str,
        idle: u64,
        max: usize,
        now: u64,
    ) -> Result<Vec<BatchEvent>, BatchRefusal> {
        let group = self.groups.get_mut(group).ok_or(BatchRefusal::NoGroup)?;
        // Removed events cannot be delivered.
        group.pending.retain(|id, _| self.kept.contains_key(id));
        let idle =
            group.pending.iter_mut().filter(|(_, since)| now.saturating_sub(**since) >= idle);
        let taken = idle.take(max).filter_map(|(id, since)| {
            *since = now;
            self.kept.get(id).cloned()
        });
        Ok(taken.collect())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// An event of documents, with a stage and an error if there are any.
pub(super) fn event(
    kind: BatchEventKind,
    ordinals: Vec<u32>,
    stage: Option<&str>,
    error: Option<String>,
) -> BatchEvent {
    let mut event = BatchEvent::new(String::new(), kind);
    event.ordinals = ordinals;
    event.stage = stage.map(str::to_owned);
    event.error = error;
    event
}
