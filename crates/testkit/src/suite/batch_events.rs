//! The contract of [`compartment_core::BatchEventStore`].

use std::collections::BTreeSet;
use std::sync::Arc;

use compartment_core::BatchEventKind::{Completed, Failed, StageDone, Submitted};
use compartment_core::ErrorKind::{InvalidArgument, Unknown};
use compartment_core::backend::ordinals_to_text;
use compartment_core::{
    BatchEvent, BatchEventKind, BatchEventStore, BatchPlan, MAX_AT_ONCE, Outcome, Settlement,
};

use super::batch::{
    Store, batch, claim, claim_some, dead, done, expect_error, ordinals, retry, settle,
};
use super::databases::{MINUTE, all, durable};
use crate::Harness;

type Events = Arc<dyn BatchEventStore>;

async fn events(harness: &dyn Harness) -> Events {
    durable(harness).await.batch_events().clone()
}

fn plan(bytes: u64) -> BatchPlan {
    BatchPlan::chain(&["extract", "chunk"]).max_attempts(1).max_lost(1).event_bytes(bytes)
}

async fn read(events: &Events) -> Vec<BatchEvent> {
    events.events("b", None, MAX_AT_ONCE).await.unwrap()
}

/// An event without its id: kind, documents, stage and error.
fn told(event: &BatchEvent) -> (BatchEventKind, String, Option<&str>, Option<&str>) {
    let (stage, error) = (event.stage.as_deref(), event.error.as_deref());
    (event.kind, ordinals_to_text(&event.ordinals), stage, error)
}

fn ids(events: &[BatchEvent]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

/// Submits a document and settles its first stage, this many times; each causes two events.
async fn work(store: &Store, times: u32) {
    for _ in 0..times {
        store.submit("b", vec!["x".into()]).await.unwrap();
        let one = claim_some(store, 0, 1).await;
        done(store, 0, &one).await;
    }
}

/// Events are written by the request that counts, in order and once: one for each kind, stage and error.
pub async fn events_tell_what_counted(harness: &dyn Harness) {
    let store = batch(harness, plan(10_000), 6).await;
    let events = events(harness).await;
    let all = claim_some(&store, 0, 5).await;
    let other = Outcome::Dead { error: "it is no text".into() };
    let outcomes =
        vec![(4, dead()), (0, Outcome::Done), (3, other), (1, Outcome::Done), (2, retry(MINUTE))];
    for _ in 0..2 {
        store.settle("b", Settlement::new(0, all.token, outcomes.clone())).await.unwrap();
    }
    let last = claim_some(&store, 0, 1).await;
    assert_eq!(settle(&store, 0, &last, Outcome::HandedBack).await.counted, 1);
    let lost = claim_some(&store, 0, 1).await;
    harness.advance(MINUTE).await;
    store.seal("b").await.unwrap();
    let chunked = claim_some(&store, 1, 5).await;
    assert_eq!((ordinals(&lost), ordinals(&chunked)), (vec![5], vec![0, 1]));
    assert!(done(&store, 1, &chunked).await.is_completed);
    let found = read(&events).await;
    let [extract, chunk] = [Some("extract"), Some("chunk")];
    let wanted = [
        (Submitted, "0-5", None, None),
        (StageDone, "0-1", extract, None),
        (Failed, "4", extract, Some("the file is empty")),
        (Failed, "3", extract, Some("it is no text")),
        (Failed, "2", extract, Some("the service does not answer")),
        (Failed, "5", extract, Some("no worker settled it within its lease, 1 times")),
        (StageDone, "0-1", chunk, None),
        (Completed, "", None, None),
    ];
    let wanted =
        wanted.map(|(kind, documents, stage, error)| (kind, documents.to_owned(), stage, error));
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), wanted);
    let names: BTreeSet<String> = ids(&found).into_iter().collect();
    assert_eq!(names.len(), found.len(), "each has a name of its own");
    let after = events.events("b", Some(found[5].id.clone()), 1).await.unwrap();
    assert_eq!(after, found[6..7]);
    assert_eq!(events.events("b", Some(found[7].id.clone()), 9).await.unwrap(), []);
    assert_eq!(events.events("b", None, 0).await.unwrap(), []);
    expect_error(events.events("b", Some("no id".into()), 1).await, InvalidArgument);
    expect_error(events.events("b", None, MAX_AT_ONCE + 1).await, InvalidArgument);
    assert!(store.remove("b").await.unwrap());
    let silent = batch(harness, plan(0), 1).await;
    silent.seal("b").await.unwrap();
    assert_eq!(read(&events).await, [], "it has none at 0 bytes");
}

/// Names and values of the fields count; the oldest events are removed.
pub async fn events_are_kept_to_their_bytes(harness: &dyn Harness) {
    // Each document adds "event" "submitted" "documents" "0", and a similar event for its stage.
    let (submitted, stage_done) = (5 + 9 + 9 + 1, 5 + 10 + 9 + 1 + 5 + 7);
    let store = batch(harness, plan(3 * (submitted + stage_done)), 0).await;
    let events = events(harness).await;
    work(&store, 3).await;
    let before = read(&events).await;
    assert_eq!(before.len(), 6, "so many fit");
    store.submit("b", vec!["x".into()]).await.unwrap();
    let found = read(&events).await;
    assert_eq!((found.len(), &found[..5]), (6, &before[1..]));
    work(&store, 60).await;
    let found = read(&events).await;
    let kept: Vec<String> = found.iter().map(|event| ordinals_to_text(&event.ordinals)).collect();
    assert_eq!(kept, ["60", "62", "61", "63", "62"], "longer numbers leave room for fewer");
}

/// Each event is handed to one consumer of a group, and every group gets all events.
pub async fn a_group_shares_events_among_its_consumers(harness: &dyn Harness) {
    let store = batch(harness, plan(100_000), 0).await;
    let events = events(harness).await;
    expect_error(events.next("b", "search", "one", 1).await, Unknown);
    assert!(events.join("b", "search").await.unwrap());
    assert!(!events.join("b", "search").await.unwrap());
    assert_eq!(events.next("b", "search", "one", 1).await.unwrap(), []);
    work(&store, 20).await;
    assert!(events.join("b", "late").await.unwrap());
    let consumers = ["one", "two", "three"].map(|consumer| {
        let events = Arc::clone(&events);
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let page = events.next("b", "search", consumer, 3).await.unwrap();
                if page.is_empty() {
                    return mine;
                }
                mine.extend(page);
            }
        })
    });
    let mut seen: Vec<BatchEvent> = all(consumers.into()).await.into_iter().flatten().collect();
    seen.sort_by_key(|event| (event.ordinals[0], event.kind == StageDone));
    let found = read(&events).await;
    assert_eq!((seen.len(), &seen), (40, &found), "each once");
    assert_eq!(events.next("b", "late", "one", 100).await.unwrap(), found);
    assert_eq!(events.next("b", "late", "one", 0).await.unwrap(), []);
    let mut done = ids(&found[..2]);
    done.extend(["no id".to_owned(), done[0].clone()]);
    assert_eq!(events.acknowledge("b", "late", &done).await.unwrap(), 2);
    assert_eq!(events.acknowledge("b", "late", &done).await.unwrap(), 0);
    assert_eq!(events.acknowledge("b", "late", &[]).await.unwrap(), 0);
    expect_error(events.acknowledge("b", "none", &done).await, Unknown);
    expect_error(events.next("b", "late", "one", MAX_AT_ONCE + 1).await, InvalidArgument);
}

/// A consumer that asks for idle events takes over unacknowledged ones.
pub async fn what_is_not_acknowledged_is_taken_over(harness: &dyn Harness) {
    let store = batch(harness, plan(200), 0).await;
    let events = events(harness).await;
    expect_error(events.take_over("b", "search", "two", MINUTE, 9).await, Unknown);
    events.join("b", "search").await.unwrap();
    work(&store, 2).await;
    let first = events.next("b", "search", "one", 3).await.unwrap();
    assert_eq!(events.acknowledge("b", "search", &ids(&first[..1])).await.unwrap(), 1);
    assert_eq!(events.take_over("b", "search", "two", MINUTE, 9).await.unwrap(), []);
    harness.advance(MINUTE * 2).await;
    let later = events.next("b", "search", "one", 3).await.unwrap();
    assert_eq!((first.len(), later.len()), (3, 1));
    assert_eq!(events.take_over("b", "search", "two", MINUTE, 0).await.unwrap(), []);
    assert_eq!(events.take_over("b", "search", "two", MINUTE, 1).await.unwrap(), first[1..2]);
    assert_eq!(events.take_over("b", "search", "two", MINUTE, 9).await.unwrap(), first[2..]);
    assert_eq!(events.take_over("b", "search", "one", MINUTE, 9).await.unwrap(), []);
    // Events removed in the meantime are not taken over.
    harness.advance(MINUTE * 2).await;
    work(&store, 2).await;
    let kept = read(&events).await;
    assert_eq!(kept[0].id, first[2].id);
    let taken = events.take_over("b", "search", "three", MINUTE, 9).await.unwrap();
    assert_eq!(taken, [&first[2..], &later[..]].concat());
    assert_eq!(events.acknowledge("b", "search", &ids(&taken)).await.unwrap(), 2);
}

/// Events exist as long as their batch, even cancelled; a new batch of that name has none.
pub async fn events_end_with_their_batch(harness: &dyn Harness) {
    let store = batch(harness, plan(10_000), 3).await;
    let events = events(harness).await;
    events.join("b", "search").await.unwrap();
    store.cancel("b").await.unwrap();
    assert_eq!(read(&events).await.len(), 1);
    assert_eq!(claim(&store, 0, 1).await, None);
    assert!(store.remove("b").await.unwrap());
    expect_error(events.events("b", None, 1).await, Unknown);
    expect_error(events.join("b", "search").await, Unknown);
    expect_error(events.next("b", "search", "one", 1).await, Unknown);
    expect_error(events.acknowledge("b", "search", &[]).await, Unknown);
    let store = batch(harness, plan(10_000), 0).await;
    expect_error(events.next("b", "search", "one", 1).await, Unknown);
    work(&store, 1).await;
    assert_eq!(read(&events).await.len(), 2);
}

suite! { batch_events as batch_events_suite, needs Batches:
    events_tell_what_counted
    events_are_kept_to_their_bytes
    a_group_shares_events_among_its_consumers
    what_is_not_acknowledged_is_taken_over
    events_end_with_their_batch
}
