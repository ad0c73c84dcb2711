//! The contract of [`compartment_core::BatchStore`] about reused names and rejected arguments.

use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::{InvalidArgument, Unknown};
use compartment_core::{
    BatchPlan, BatchStatus, ClaimRequest, FencingToken, MAX_AT_ONCE, MAX_ENTRY, MAX_TTL, Outcome,
    RestoredFact, Settlement,
};

use super::batch::{
    batch, claim, claim_some, done, expect_error, ordinals, progress, retry, settle,
};
use super::databases::{MINUTE, durable};
use crate::Harness;

fn entries(from: u32, to: u32) -> Vec<Bytes> {
    (from..to).map(|number| Bytes::from(format!("document {number}"))).collect()
}

/// A claim of an earlier batch of that name gets "unknown", and changes nothing.
pub async fn a_batch_made_anew_is_another(harness: &dyn Harness) {
    let plan = || BatchPlan::chain(&["extract"]).max_lost(2);
    let store = batch(harness, plan(), 2).await;
    let late = claim_some(&store, 0, 2).await;
    let first_born = progress(&store).await.born;
    assert!(late.token > first_born);
    assert!(store.remove("b").await.unwrap());
    harness.advance(Duration::from_secs(1)).await;
    assert!(store.create("b", &plan()).await.unwrap());
    assert!(progress(&store).await.born > late.token);
    store.submit("b", entries(0, 3)).await.unwrap();
    store.seal("b").await.unwrap();
    // One document lost a lease, so a late success of its former worker would be accepted.
    drop(claim_some(&store, 0, 3).await);
    harness.advance(MINUTE).await;
    let outcomes = vec![(0, Outcome::Done), (1, Outcome::Done), (2, Outcome::Done)];
    expect_error(store.settle("b", Settlement::new(0, late.token, outcomes)).await, Unknown);
    assert!(!store.renew("b", late.token, MINUTE).await.unwrap());
    assert!(!store.release("b", late.token).await.unwrap());
    let never = FencingToken::from_number(u64::MAX >> 12);
    let outcomes = vec![(0, Outcome::Done)];
    expect_error(store.settle("b", Settlement::new(0, never, outcomes)).await, Unknown);
    let unchanged = progress(&store).await;
    assert_eq!((unchanged.done, unchanged.status), (0, BatchStatus::Sealed));
    for _ in 0..2 {
        let one = claim_some(&store, 0, 3).await;
        assert!(!done(&store, 0, &one).await.is_completed);
    }
    let last = claim_some(&store, 0, 3).await;
    assert!(done(&store, 0, &last).await.is_completed);
    assert!(!store.finish_completion("b", late.token).await.unwrap());
    assert!(progress(&store).await.is_completing);
}

/// Once the batch is gone, its name is unknown to that store, even if a new batch has the name.
pub async fn whoever_saw_a_batch_born_changes_no_other(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = batch(harness, BatchPlan::chain(&["extract"]).outbox(true), 2).await;
    let born = progress(&store).await.born;
    let (own, upkeep) = (store.born_as(born), database.batch_upkeep().born_as(born));
    let seen = own.claim("b", ClaimRequest::new(0, 1, MINUTE)).await.unwrap().unwrap();
    let settled = Settlement::new(0, seen.token, vec![(0, Outcome::Done)]).note("a note");
    assert_eq!(own.settle("b", settled).await.unwrap().counted, 1);
    assert_eq!(own.progress("b").await.unwrap(), store.progress("b").await.unwrap());
    let (outbox, audit) = (upkeep.outbox("b", 9).await.unwrap(), upkeep.audit("b").await.unwrap());
    assert_eq!((outbox.len(), audit.born), (1, born.number()));
    let ids: Vec<String> = outbox.into_iter().map(|entry| entry.id).collect();

    assert!(store.remove("b").await.unwrap());
    harness.advance(MINUTE).await;
    let plan = BatchPlan::chain(&["extract"]).outbox(true);
    assert!(store.create("b", &plan).await.unwrap());
    store.submit("b", entries(0, 2)).await.unwrap();
    let mine = claim_some(&store, 0, 1).await;
    let dead = Outcome::Dead { error: "blank".into() };
    let settled = Settlement::new(0, mine.token, vec![(0, dead)]).note("another note");
    store.settle("b", settled).await.unwrap();
    let before = progress(&store).await;

    assert_eq!(own.progress("b").await.unwrap(), None);
    assert!(!own.remove("b").await.unwrap());
    expect_error(own.submit("b", entries(0, 1)).await, Unknown);
    expect_error(own.submit_at("b", 2, entries(0, 1)).await, Unknown);
    expect_error(own.seal("b").await, Unknown);
    expect_error(own.pause("b", true).await, Unknown);
    expect_error(own.cancel("b").await, Unknown);
    expect_error(own.claim("b", ClaimRequest::new(0, 1, MINUTE)).await, Unknown);
    expect_error(own.claim_completion("b", MINUTE).await, Unknown);
    expect_error(own.retry("b", vec![(0, 0)]).await, Unknown);
    expect_error(own.plan("b").await, Unknown);
    expect_error(upkeep.entries("b", 0, 9).await, Unknown);
    expect_error(upkeep.outbox("b", 9).await, Unknown);
    expect_error(upkeep.clear_outbox("b", &ids).await, Unknown);
    expect_error(upkeep.outbox_len("b").await, Unknown);
    expect_error(upkeep.restore("b", 0, vec![(1, RestoredFact::Done)]).await, Unknown);
    expect_error(upkeep.audit("b").await, Unknown);
    expect_error(upkeep.repair("b", &audit).await, Unknown);
    expect_error(upkeep.remove_ended("b").await, Unknown);
    // Ids read from the earlier batch have no effect through a store without `born_as` either.
    assert!(!database.batch_upkeep().repair("b", &audit).await.unwrap());
    assert_eq!(database.batch_upkeep().clear_outbox("b", &ids).await.unwrap(), 0);
    assert_eq!(progress(&store).await, before);
    assert_eq!(database.batch_upkeep().outbox_len("b").await.unwrap(), 1);
}

/// A submission may be repeated, and executed late; it adds once.
pub async fn documents_are_added_where_they_belong_or_not_at_all(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 0).await;
    let told = [(0, 3, true), (0, 3, false), (3, 4, true), (0, 3, false), (5, 6, false)];
    for (from, to, is_added) in told {
        assert_eq!(store.submit_at("b", from, entries(from, to)).await.unwrap(), is_added);
    }
    assert_eq!(progress(&store).await.total, 4);
    let all = claim_some(&store, 0, 9).await;
    assert_eq!(all.documents[3].entry, "document 3");
    expect_error(store.submit_at("b", 4, Vec::new()).await, InvalidArgument);
    expect_error(
        store.submit_at("b", 4, vec![Bytes::new(); MAX_AT_ONCE + 1]).await,
        InvalidArgument,
    );
    store.seal("b").await.unwrap();
    assert!(store.submit_at("b", 4, entries(4, 5)).await.is_err(), "a late one is refused");
    assert_eq!(progress(&store).await.total, 4);
}

/// The end is measured by the clock of the leases; a batch with a retried document has not ended.
pub async fn a_batch_tells_since_when_it_is_over(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 1).await;
    store.seal("b").await.unwrap();
    assert_eq!(progress(&store).await.ended, None);
    let one = claim_some(&store, 0, 1).await;
    settle(&store, 0, &one, Outcome::Dead { error: "blank".into() }).await;
    harness.advance(MINUTE).await;
    assert_eq!(progress(&store).await.ended, Some(MINUTE));
    let token = store.claim_completion("b", MINUTE).await.unwrap().unwrap();
    harness.advance(MINUTE / 2).await;
    assert!(store.finish_completion("b", token).await.unwrap());
    harness.advance(MINUTE / 2).await;
    assert_eq!(progress(&store).await.ended, Some(MINUTE / 2), "since its completion was done");
    assert_eq!(store.retry("b", vec![(0, 0)]).await.unwrap(), 1);
    assert_eq!(progress(&store).await.ended, None);
    assert_eq!(store.cancel("b").await.unwrap(), BatchStatus::Cancelled);
    harness.advance(MINUTE).await;
    assert_eq!(store.cancel("b").await.unwrap(), BatchStatus::Cancelled);
    assert_eq!(progress(&store).await.ended, Some(MINUTE), "it was over before");
}

/// A batch is removed if its completion is finished, or it is cancelled without claims, and its outbox is empty.
pub async fn only_a_batch_that_is_over_goes(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]).outbox(true), 1).await;
    let upkeep = durable(harness).await.batch_upkeep().clone();
    assert!(!upkeep.remove_ended("b").await.unwrap(), "it is open");
    store.seal("b").await.unwrap();
    assert!(!upkeep.remove_ended("b").await.unwrap(), "it is sealed");
    let one = claim_some(&store, 0, 1).await;
    let settled = Settlement::new(0, one.token, vec![(0, Outcome::Done)]).note("a note");
    assert!(store.settle("b", settled).await.unwrap().is_completed);
    let waiting = upkeep.outbox("b", 9).await.unwrap();
    let ids: Vec<String> = waiting.into_iter().map(|entry| entry.id).collect();
    assert_eq!(upkeep.clear_outbox("b", &ids).await.unwrap(), 1);
    assert!(!upkeep.remove_ended("b").await.unwrap(), "its completion is due");
    let token = store.claim_completion("b", MINUTE).await.unwrap().unwrap();
    assert!(!upkeep.remove_ended("b").await.unwrap(), "its completion is somebody's");
    assert!(store.finish_completion("b", token).await.unwrap());
    assert!(upkeep.remove_ended("b").await.unwrap());
    expect_error(upkeep.remove_ended("b").await, Unknown);

    assert!(store.create("b", &BatchPlan::chain(&["extract"]).outbox(true)).await.unwrap());
    store.submit("b", entries(0, 2)).await.unwrap();
    let two = claim_some(&store, 0, 2).await;
    store.cancel("b").await.unwrap();
    assert!(!upkeep.remove_ended("b").await.unwrap(), "somebody works on it");
    let settled = Settlement::new(0, two.token, vec![(0, Outcome::Done)]).note("a note");
    store.settle("b", settled).await.unwrap();
    harness.advance(MINUTE).await;
    assert!(!upkeep.remove_ended("b").await.unwrap(), "something waits to be written elsewhere");
    let waiting = upkeep.outbox("b", 9).await.unwrap();
    let ids: Vec<String> = waiting.into_iter().map(|entry| entry.id).collect();
    upkeep.clear_outbox("b", &ids).await.unwrap();
    assert!(upkeep.remove_ended("b").await.unwrap(), "the lease has ended");
}

/// Invalid names, plans and arguments are rejected; values at the limits are accepted.
pub async fn what_no_batch_can_be_is_refused(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 0).await;
    let plan = || BatchPlan::chain(&["extract"]);
    let long = "x".repeat(256);
    for name in ["", "two\nlines", "nul\0", long.as_str()] {
        expect_error(store.create(name, &plan()).await, InvalidArgument);
    }
    for name in ["}{:b} *[\\ é", &long[1..]] {
        assert!(store.create(name, &plan()).await.unwrap());
        assert_eq!(store.submit(name, entries(0, 1)).await.unwrap(), 0);
        let request = ClaimRequest::new(0, 1, MAX_TTL);
        assert!(store.claim(name, request).await.unwrap().is_some());
        assert!(store.remove(name).await.unwrap());
    }
    for wrong in [
        plan().max_attempts(0),
        plan().max_attempts(16),
        plan().max_lost(0),
        plan().max_lost(16),
        plan().max_bytes(0),
    ] {
        expect_error(store.create("c", &wrong).await, InvalidArgument);
    }
    let max = plan().max_attempts(15).max_lost(15).max_bytes(u64::MAX).event_bytes(u64::MAX);
    assert!(store.create("c", &max).await.unwrap());
    assert_eq!(store.plan("c").await.unwrap(), max);
    assert_eq!(store.submit("c", entries(0, 2)).await.unwrap(), 0);

    for bytes in [0, 1_015, 1_016, MAX_ENTRY - 1, MAX_ENTRY] {
        store.submit("b", vec![Bytes::from(vec![b'x'; bytes])]).await.unwrap();
    }
    let entry = vec![Bytes::from(vec![b'x'; MAX_ENTRY + 1])];
    expect_error(store.submit("b", entry).await, InvalidArgument);
    let request = |max, lease| ClaimRequest::new(0, max, lease);
    for lease in [Duration::ZERO, Duration::MAX, MAX_TTL * 2] {
        expect_error(store.claim("b", request(1, lease)).await, InvalidArgument);
        expect_error(store.claim_completion("b", lease).await, InvalidArgument);
        expect_error(store.renew("b", FencingToken::from_number(1), lease).await, InvalidArgument);
    }
    for max in [0, MAX_AT_ONCE + 1, usize::MAX] {
        expect_error(store.claim("b", request(max, MINUTE)).await, InvalidArgument);
    }
    let all = claim_some(&store, 0, 5).await;
    let lengths: Vec<usize> = all.documents.iter().map(|one| one.entry.len()).collect();
    assert_eq!(lengths, [0, 1_015, 1_016, 4_095, 4_096]);
    let late = |after| Settlement::new(0, all.token, vec![(0, Outcome::Done), (1, retry(after))]);
    for after in [Duration::MAX, MAX_TTL * 2] {
        expect_error(store.settle("b", late(after)).await, InvalidArgument);
    }
    assert_eq!(progress(&store).await.stages[0].done, 0, "all or nothing");
    assert_eq!(store.settle("b", late(MAX_TTL)).await.unwrap().counted, 2);
    harness.advance(MINUTE).await;
    // Each alone, since their leases have expired.
    for ordinal in 2..5 {
        assert_eq!(ordinals(&claim_some(&store, 0, 5).await), [ordinal]);
    }
    assert_eq!(claim(&store, 0, 5).await, None);
}

suite! { batch_identity as batch_identity_suite, needs Batches:
    a_batch_made_anew_is_another
    whoever_saw_a_batch_born_changes_no_other
    documents_are_added_where_they_belong_or_not_at_all
    a_batch_tells_since_when_it_is_over
    only_a_batch_that_is_over_goes
    what_no_batch_can_be_is_refused
}
