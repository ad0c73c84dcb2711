//! The contract of [`compartment_core::BatchUpkeepStore`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::{InvalidArgument, Unknown};
use compartment_core::{
    BatchAudit, BatchEventKind, BatchPlan, BatchStatus, BatchStoreExt, BatchUpkeepStore,
    CounterDrift, FencingToken, MAX_AT_ONCE, OutboxFact, Outcome, RestoredFact, Settlement,
};

use super::batch::{
    Store, batch, claim, claim_some, dead, done, expect_error, failures, ordinals, progress, retry,
    settle,
};
use super::databases::{MINUTE, durable};
use crate::Harness;

type Upkeep = Arc<dyn BatchUpkeepStore>;

async fn upkeep(harness: &dyn Harness) -> Upkeep {
    durable(harness).await.batch_upkeep().clone()
}

/// The facts in the outbox, in order.
async fn facts(upkeep: &Upkeep) -> Vec<OutboxFact> {
    let entries = upkeep.outbox("b", MAX_AT_ONCE).await.unwrap();
    entries.into_iter().map(|entry| entry.fact).collect()
}

fn settled(stage: usize, token: FencingToken, refused: &[u32], note: &'static str) -> OutboxFact {
    let note = Bytes::from_static(note.as_bytes());
    OutboxFact::Settled { stage, token, refused: refused.to_vec(), note }
}

async fn tell(
    store: &Store,
    token: FencingToken,
    outcomes: Vec<(u32, Outcome)>,
    note: &'static str,
) {
    store.settle("b", Settlement::new(0, token, outcomes).note(note)).await.unwrap();
}

/// Entries can be read from any ordinal on, at most a thousand in one request.
pub async fn entries_read_back_in_order(harness: &dyn Harness) {
    let _store = batch(harness, BatchPlan::chain(&["extract"]), 2_150).await;
    let upkeep = upkeep(harness).await;
    let all = upkeep.entries("b", 0, MAX_AT_ONCE).await.unwrap();
    assert_eq!(
        (all.len(), &all[0][..], &all[999][..]),
        (1_000, &b"document 0"[..], &b"document 999"[..])
    );
    let some = upkeep.entries("b", 1_098, 4).await.unwrap();
    let wanted = ["document 1098", "document 1099", "document 1100", "document 1101"];
    assert_eq!(some, wanted);
    assert_eq!(upkeep.entries("b", 2_149, 5).await.unwrap(), ["document 2149"]);
    assert!(upkeep.entries("b", 2_150, 5).await.unwrap().is_empty());
    assert!(upkeep.entries("b", u32::MAX, 5).await.unwrap().is_empty());
    expect_error(upkeep.entries("b", 0, MAX_AT_ONCE + 1).await, InvalidArgument);
    expect_error(upkeep.entries("c", 0, 1).await, Unknown);
    expect_error(upkeep.outbox("c", 1).await, Unknown);
    expect_error(upkeep.outbox_len("c").await, Unknown);
    expect_error(upkeep.audit("c").await, Unknown);
    expect_error(upkeep.restore("c", 0, Vec::new()).await, Unknown);
}

/// The outbox records each settlement with the documents that did not count, deaths by expired leases, and retries.
/// Without an outbox nothing is recorded.
pub async fn what_counted_is_in_the_outbox(harness: &dyn Harness) {
    let plan = BatchPlan::chain(&["extract"]).max_attempts(1).max_lost(1);
    let store = batch(harness, plan.clone().outbox(true), 8).await;
    let upkeep = upkeep(harness).await;
    let first = claim_some(&store, 0, 4).await;
    let outcomes =
        vec![(0, Outcome::Done), (1, retry(MINUTE)), (2, dead()), (3, Outcome::HandedBack)];
    tell(&store, first.token, outcomes.clone(), "first").await;
    // All of it is known, so nothing is recorded.
    tell(&store, first.token, outcomes, "again").await;
    let second = claim_some(&store, 0, 2).await;
    assert_eq!(ordinals(&second), [3, 4]);
    let outcomes = vec![(5, Outcome::Done), (9, Outcome::Done), (3, Outcome::Done), (0, dead())];
    tell(&store, second.token, outcomes, "second").await;
    // Handing back is not recorded.
    tell(&store, second.token, vec![(4, Outcome::HandedBack)], "back").await;
    let lost = claim_some(&store, 0, 3).await;
    assert_eq!(ordinals(&lost), [4, 5, 6]);
    harness.advance(MINUTE).await;
    assert_eq!(ordinals(&claim_some(&store, 0, 1).await), [7]);
    assert_eq!(store.retry("b", vec![(0, 5), (0, 2), (0, 5)]).await.unwrap(), 2);
    let found = facts(&upkeep).await;
    let error = "no worker settled it within its lease, 1 times".to_owned();
    let wanted = [
        settled(0, first.token, &[], "first"),
        settled(0, second.token, &[0, 5, 9], "second"),
        OutboxFact::Lost { stage: 0, ordinals: vec![4, 5, 6], error },
        OutboxFact::Retried { stage: 0, ordinals: vec![2, 5] },
    ];
    assert_eq!(found, wanted);
    assert_eq!(upkeep.outbox_len("b").await.unwrap(), 4);
    assert!(store.remove("b").await.unwrap());
    let store = batch(harness, plan, 1).await;
    assert!(facts(&upkeep).await.is_empty(), "it went with its batch");
    let only = claim_some(&store, 0, 1).await;
    tell(&store, only.token, vec![(0, Outcome::Done)], "x").await;
    assert_eq!(upkeep.outbox_len("b").await.unwrap(), 0);
}

/// The outbox can be read repeatedly, oldest first, also of a cancelled batch.
pub async fn an_outbox_is_read_until_it_is_cleared(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]).outbox(true), 3).await;
    let upkeep = upkeep(harness).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let one = claim_some(&store, 0, 1).await;
        tokens.push(one.token);
        if tokens.len() == 3 {
            store.cancel("b").await.unwrap();
        }
        done(&store, 0, &one).await;
    }
    let entries = upkeep.outbox("b", 2).await.unwrap();
    assert_eq!(upkeep.outbox("b", 2).await.unwrap(), entries);
    assert_eq!(upkeep.outbox("b", 0).await.unwrap(), []);
    let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(entries[1].fact, settled(0, tokens[1], &[], ""));
    assert_eq!(upkeep.clear_outbox("b", &ids[1..]).await.unwrap(), 1);
    let more = [ids[0].clone(), ids[1].clone(), "no id".to_owned()];
    assert_eq!(upkeep.clear_outbox("b", &more).await.unwrap(), 1);
    assert_eq!(upkeep.clear_outbox("b", &[]).await.unwrap(), 0);
    assert_eq!(facts(&upkeep).await, [settled(0, tokens[2], &[], "")]);
    expect_error(upkeep.outbox("b", MAX_AT_ONCE + 1).await, InvalidArgument);
    let too_many = vec!["1-1".to_owned(); MAX_AT_ONCE + 1];
    expect_error(upkeep.clear_outbox("b", &too_many).await, InvalidArgument);
}

/// Documents restored as done or dead are not handed out again; dead ones can be retried.
pub async fn restored_facts_count_once(harness: &dyn Harness) {
    let plan = BatchPlan::chain(&["extract", "chunk"]).outbox(true).event_bytes(1 << 20);
    let store = batch(harness, plan, 7_000).await;
    let upkeep = upkeep(harness).await;
    let fact = |ordinal: u32| (ordinal, RestoredFact::Done);
    let empty = |ordinal| (ordinal, RestoredFact::Dead { error: "the file is empty".into() });
    // The last stage first, for documents between those that the first stage is done with.
    assert_eq!(upkeep.restore("b", 1, vec![fact(1), empty(2), fact(1)]).await.unwrap(), 2);
    let known: Vec<u32> = (1..6_990).filter(|ordinal| *ordinal != 1_250).collect();
    for page in known.chunks(MAX_AT_ONCE) {
        let page: Vec<_> = page.iter().copied().map(fact).collect();
        assert_eq!(upkeep.restore("b", 0, page.clone()).await.unwrap(), page.len() as u64);
        assert_eq!(upkeep.restore("b", 0, page).await.unwrap(), 0, "it is known");
    }
    let last = vec![empty(6_995), empty(6_998), fact(6_995), fact(7_000)];
    assert_eq!(upkeep.restore("b", 0, last).await.unwrap(), 2);
    let found = progress(&store).await;
    assert_eq!((found.done, found.dead, found.stages[0].done), (1, 3, 6_988));
    assert_eq!((found.stages[0].ready, found.stages[1].ready), (10, 6_987));
    assert!(upkeep.audit("b").await.unwrap().is_clean());
    // The retried document is handed out in its turn, and once.
    assert_eq!(store.retry("b", vec![(0, 6_995)]).await.unwrap(), 1);
    let open = [0, 1_250, 6_990, 6_991, 6_992, 6_993, 6_994, 6_995, 6_996, 6_997, 6_999];
    assert_eq!(ordinals(&claim_some(&store, 0, 1).await), open[..1]);
    assert!(upkeep.audit("b").await.unwrap().is_clean());
    let mut rest = Vec::new();
    // A claim may return few documents if it skipped many.
    while let Some(some) = claim(&store, 0, 1_000).await {
        rest.extend(ordinals(&some));
        done(&store, 0, &some).await;
    }
    assert_eq!(rest, open[1..]);
    assert_eq!(ordinals(&claim_some(&store, 1, 3).await), [3, 4, 5]);
    let known = |fact: &OutboxFact| !matches!(fact, OutboxFact::Lost { .. });
    let kept = facts(&upkeep).await;
    assert!(kept.len() <= 3 && kept.iter().all(known), "what was restored is in no outbox");
    let failed: Vec<u32> = failures(&store).await.into_iter().map(|one| one.ordinal).collect();
    assert_eq!(failed, [6_998, 2]);
    expect_error(upkeep.restore("b", 2, vec![fact(0)]).await, InvalidArgument);
    expect_error(upkeep.restore("b", 0, vec![fact(0); MAX_AT_ONCE + 1]).await, InvalidArgument);
    let events =
        durable(harness).await.batch_events().events("b", None, MAX_AT_ONCE).await.unwrap();
    let first = events.iter().position(|event| event.kind != BatchEventKind::Submitted);
    assert_eq!(first, Some(7), "seven submissions");
    assert!(events[7..].iter().all(|event| event.ordinals.iter().all(|one| open.contains(one))));
}

/// An audit without findings. A test adds findings, so that a repair by it causes drift.
async fn clean(upkeep: &Upkeep) -> BatchAudit {
    let audit = upkeep.audit("b").await.unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    audit
}

/// A repair corrects the counts once, while workers continue.
pub async fn an_audit_finds_counts_that_drifted(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 6).await;
    let upkeep = upkeep(harness).await;
    let first = claim_some(&store, 0, 2).await;
    done(&store, 0, &first).await;
    let mut wrong = clean(&upkeep).await;
    assert_eq!(
        (wrong.total, &wrong.done, &wrong.dead),
        (6, &vec![vec![0b1100_0000]], &vec![vec![0]])
    );
    let wanted = [
        CounterDrift::new("done", 7, 2),
        CounterDrift::new("done:0", 1, 2),
        CounterDrift::new("claimed:0", 3, 0),
    ];
    let turned =
        |drift: &CounterDrift| CounterDrift::new(&*drift.counter, drift.facts, drift.counted);
    wrong.drift = wanted.iter().map(turned).collect();
    assert!(upkeep.repair("b", &wrong).await.unwrap());
    let found = upkeep.audit("b").await.unwrap();
    assert_eq!(found.drift, wanted);
    assert!(found.stranded.is_empty() && !found.completion_missed);
    // Other workers continue in the meantime.
    let second = claim_some(&store, 0, 3).await;
    settle(&store, 0, &second, dead()).await;
    let third = claim_some(&store, 0, 1).await;
    assert!(upkeep.repair("b", &found).await.unwrap());
    assert!(!upkeep.repair("b", &found).await.unwrap(), "it is repaired already");
    clean(&upkeep).await;
    let progress = progress(&store).await;
    assert_eq!((progress.done, progress.dead), (2, 3));
    assert_eq!((progress.stages[0].done, progress.stages[0].claimed), (2, 1));
    done(&store, 0, &third).await;
}

/// A repair makes stranded documents ready again.
pub async fn an_audit_finds_stranded_documents(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 4).await;
    let upkeep = upkeep(harness).await;
    let mut wrong = clean(&upkeep).await;
    // As if the first two had been handed out without a record of the claim.
    wrong.drift = vec![CounterDrift::new("next:0", 0, 2)];
    assert!(upkeep.repair("b", &wrong).await.unwrap());
    let rest = claim_some(&store, 0, 4).await;
    assert_eq!(ordinals(&rest), [2, 3]);
    settle(&store, 0, &rest, retry(MINUTE)).await;
    let found = upkeep.audit("b").await.unwrap();
    assert_eq!((found.stranded.as_slice(), found.drift.len()), (&[(0, 0), (0, 1)][..], 0));
    assert!(upkeep.repair("b", &found).await.unwrap());
    assert!(!upkeep.repair("b", &found).await.unwrap(), "nor are they handed out twice");
    assert_eq!(ordinals(&claim_some(&store, 0, 4).await), [0, 1]);
    clean(&upkeep).await;
}

/// An audit is clean at any time of a batch's life.
pub async fn an_audit_of_a_sound_batch_is_clean(harness: &dyn Harness) {
    let plan =
        BatchPlan::new().stage("a", &[]).stage("b", &[0]).stage("c", &[0]).stage("d", &[1, 2]);
    let store = batch(harness, plan.max_attempts(2).max_lost(2), 0).await;
    let upkeep = upkeep(harness).await;
    clean(&upkeep).await;
    store.submit("b", vec![Bytes::from_static(b"x"); 250]).await.unwrap();
    clean(&upkeep).await;
    let lost = claim_some(&store, 0, 50).await;
    clean(&upkeep).await;
    for (stage, outcome) in
        [(0, Outcome::Done), (1, retry(MINUTE)), (2, dead()), (0, Outcome::HandedBack)]
    {
        let some = claim_some(&store, stage, 40).await;
        settle(&store, stage, &some, outcome).await;
        clean(&upkeep).await;
    }
    harness.advance(MINUTE).await;
    done(&store, 0, &lost).await;
    store.seal("b").await.unwrap();
    clean(&upkeep).await;
    assert_eq!(store.retry_failed("b", Some(2), Some("the file")).await.unwrap(), 40);
    clean(&upkeep).await;
    for stage in 0..4 {
        while let Some(some) = claim(&store, stage, 100).await {
            done(&store, stage, &some).await;
            clean(&upkeep).await;
        }
    }
    assert_eq!(progress(&store).await.status, BatchStatus::Completed);
    clean(&upkeep).await;
    let token = store.claim_completion("b", Duration::from_secs(1)).await.unwrap().unwrap();
    store.finish_completion("b", token).await.unwrap();
    clean(&upkeep).await;
}

/// The repair that corrects the counts also makes the completion due.
pub async fn a_missed_completion_is_made_due(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 2).await;
    let upkeep = upkeep(harness).await;
    store.seal("b").await.unwrap();
    let first = claim_some(&store, 0, 1).await;
    done(&store, 0, &first).await;
    let mut wrong = clean(&upkeep).await;
    wrong.drift = vec![CounterDrift::new("done", 1, 0)];
    assert!(upkeep.repair("b", &wrong).await.unwrap());
    let last = claim_some(&store, 0, 1).await;
    assert!(!done(&store, 0, &last).await.is_completed, "a count is wrong");
    let found = upkeep.audit("b").await.unwrap();
    assert!(found.completion_missed && !found.is_clean());
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
    assert!(upkeep.repair("b", &found).await.unwrap());
    assert_eq!(progress(&store).await.status, BatchStatus::Completed);
    assert!(store.claim_completion("b", MINUTE).await.unwrap().is_some());
    clean(&upkeep).await;
}

suite! { batch_upkeep as batch_upkeep_suite, needs Batches:
    entries_read_back_in_order
    what_counted_is_in_the_outbox
    an_outbox_is_read_until_it_is_cleared
    restored_facts_count_once
    an_audit_finds_counts_that_drifted
    an_audit_finds_stranded_documents
    an_audit_of_a_sound_batch_is_clean
    a_missed_completion_is_made_due
}
