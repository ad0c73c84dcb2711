//! Operations of batch programs other than claiming and settling: outbox, events, restoring, audits.

use std::fmt::Debug;
use std::time::Duration;

use compartment_core::{BatchEvent, CounterDrift, Database, OutboxEntry, RestoredFact, Result};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::answer::text;

/// One more than any plan has, so that some stages do not exist.
const STAGES: usize = 5;
const ORDINALS: u32 = 24;
const GROUPS: [&str; 2] = ["search", "}{ \r\n"];
const CONSUMERS: [&str; 2] = ["one", ""];

/// An operation of the upkeep store or the event store.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the stores' operation of that name")]
pub enum UpkeepOp {
    Entries(u32, usize),
    Outbox(usize),
    /// Clears this many entries, the oldest first.
    ClearOutbox(usize),
    Restore(usize, Vec<(u32, RestoredFact)>),
    Audit,
    /// Repairs with a fabricated audit that strands documents of a first stage.
    Damage(usize, u8),
    /// Repairs twice with one audit, then audits again.
    Repair,
    RemoveEnded,
    /// Reads events behind this many of the first ones.
    Events(usize, usize),
    Join(usize),
    Next(usize, usize, usize),
    /// Acknowledges the events between two positions.
    Acknowledge(usize, usize, usize),
    TakeOver(usize, usize, Duration, usize),
}

pub(super) fn upkeep_op() -> impl Strategy<Value = UpkeepOp> {
    use UpkeepOp::*;
    let error = || select(vec!["no answer", ""]).prop_map(str::to_owned);
    let fact = move || {
        prop_oneof![
            3 => Just(RestoredFact::Done),
            1 => error().prop_map(|error| RestoredFact::Dead { error }),
        ]
    };
    let (group, consumer) = (|| 0..GROUPS.len(), || 0..CONSUMERS.len());
    let idle = || select(vec![0_u64, 30_000, 600_000]).prop_map(Duration::from_millis);
    prop_oneof![
        1 => (0..ORDINALS, 0..9_usize).prop_map(|(from, max)| Entries(from, max)),
        4 => (0..30_usize).prop_map(Outbox),
        2 => (0..4_usize).prop_map(ClearOutbox),
        3 => (0..STAGES, vec((0..ORDINALS, fact()), 0..6)).prop_map(|(at, facts)| Restore(at, facts)),
        4 => Just(Audit),
        1 => (0..STAGES, 1..4_u8).prop_map(|(at, by)| Damage(at, by)),
        2 => Just(Repair),
        1 => Just(RemoveEnded),
        4 => (0..9_usize, 0..30_usize).prop_map(|(after, max)| Events(after, max)),
        1 => group().prop_map(Join),
        2 => (group(), consumer(), 0..5_usize).prop_map(|(group, one, max)| Next(group, one, max)),
        2 => (group(), 0..5_usize, 0..5_usize).prop_map(|(group, from, to)| Acknowledge(group, from, to)),
        1 => (group(), consumer(), idle(), 0..5_usize)
            .prop_map(|(group, one, idle, max)| TakeOver(group, one, idle, max)),
    ]
}

/// The answer as comparable text, without ids, which differ between backends.
pub(super) async fn upkeep_answer(database: &Database, batch: &str, op: &UpkeepOp) -> String {
    let (store, events) = (database.batch_upkeep(), database.batch_events());
    match op {
        UpkeepOp::Entries(from, max) => text(store.entries(batch, *from, *max).await),
        UpkeepOp::Outbox(max) => {
            let facts = |entry: OutboxEntry| entry.fact;
            let len = text(store.outbox_len(batch).await);
            len + &each(store.outbox(batch, *max).await, facts)
        }
        UpkeepOp::ClearOutbox(max) => match store.outbox(batch, *max).await {
            Ok(entries) => {
                let ids: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
                text(store.clear_outbox(batch, &ids).await)
            }
            Err(error) => text::<()>(Err(error)),
        },
        UpkeepOp::Restore(stage, facts) => text(store.restore(batch, *stage, facts.clone()).await),
        UpkeepOp::Audit => text(store.audit(batch).await),
        UpkeepOp::Damage(stage, by) => match store.audit(batch).await {
            Ok(mut audit) => {
                let is_first = database.batch().plan(batch).await.is_ok_and(|plan| {
                    plan.stages.get(*stage).is_some_and(|stage| stage.after.is_empty())
                });
                audit.drift = Vec::new();
                if is_first {
                    audit.drift.push(CounterDrift::new(format!("next:{stage}"), 0, i64::from(*by)));
                }
                text(store.repair(batch, &audit).await)
            }
            Err(error) => text::<()>(Err(error)),
        },
        UpkeepOp::Repair => match store.audit(batch).await {
            Ok(audit) => {
                let first = text(store.repair(batch, &audit).await);
                let again = text(store.repair(batch, &audit).await);
                first + &again + &text(store.audit(batch).await)
            }
            Err(error) => text::<()>(Err(error)),
        },
        UpkeepOp::RemoveEnded => text(store.remove_ended(batch).await),
        UpkeepOp::Events(after, max) => match id_at(database, batch, *after).await {
            Ok(after) => each(events.events(batch, after, *max).await, told),
            Err(error) => text::<()>(Err(error)),
        },
        UpkeepOp::Join(group) => text(events.join(batch, GROUPS[*group]).await),
        UpkeepOp::Next(group, consumer, max) => {
            let (group, consumer) = (GROUPS[*group], CONSUMERS[*consumer]);
            each(events.next(batch, group, consumer, *max).await, told)
        }
        UpkeepOp::Acknowledge(group, from, to) => match events.events(batch, None, *to).await {
            Ok(kept) => {
                let ids: Vec<String> = kept.into_iter().skip(*from).map(|event| event.id).collect();
                text(events.acknowledge(batch, GROUPS[*group], &ids).await)
            }
            Err(error) => text::<()>(Err(error)),
        },
        UpkeepOp::TakeOver(group, consumer, idle, max) => {
            let (group, consumer) = (GROUPS[*group], CONSUMERS[*consumer]);
            each(events.take_over(batch, group, consumer, *idle, *max).await, told)
        }
    }
}

/// The id of an event by its position among those kept; `None` at 0 and beyond the last.
async fn id_at(database: &Database, batch: &str, place: usize) -> Result<Option<String>> {
    let kept = database.batch_events().events(batch, None, place).await?;
    Ok(place.checked_sub(1).and_then(|last| kept.get(last)).map(|event| event.id.clone()))
}

fn told(mut event: BatchEvent) -> BatchEvent {
    event.id.clear();
    event
}

fn each<T, U: Debug>(answer: Result<Vec<T>>, of: impl FnMut(T) -> U) -> String {
    text(answer.map(|all| all.into_iter().map(of).collect::<Vec<U>>()))
}
