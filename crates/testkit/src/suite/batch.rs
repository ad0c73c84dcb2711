//! The contract of [`compartment_core::BatchStore`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::{Contract, InvalidArgument, OutOfMemory, Unknown, WrongType};
use compartment_core::{
    BatchClaim, BatchFailure, BatchPlan, BatchProgress, BatchStatus, BatchStore, BatchStoreExt,
    ClaimRequest, ErrorKind, FencingToken, HashStoreExt, KeyValueStoreExt, MAX_AT_ONCE, MAX_ENTRY,
    Outcome, Result, Settled, Settlement,
};
use futures_util::TryStreamExt;

use super::databases::{MINUTE, all, cache, durable};
use crate::Harness;

pub(super) type Store = Arc<dyn BatchStore>;

/// Checks the kind of an error, and that it names a database and a batch.
#[track_caller]
pub(super) fn expect_error<T>(result: Result<T>, kind: ErrorKind) {
    let error = result.err().expect("an error was expected");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.database().is_some() && error.key().is_some(), "{error:?}");
    assert!(!error.operation().is_empty() && !error.message().is_empty(), "{error:?}");
}

async fn store(harness: &dyn Harness) -> Store {
    durable(harness).await.batch().clone()
}

/// A batch `b` of this many documents.
pub(super) async fn batch(harness: &dyn Harness, plan: BatchPlan, documents: u32) -> Store {
    let store = store(harness).await;
    assert!(store.create("b", &plan).await.unwrap());
    submit(&store, documents).await;
    store
}

async fn submit(store: &Store, documents: u32) {
    let entry = |number: u32| Bytes::from(format!("document {number}"));
    for from in (0..documents).step_by(MAX_AT_ONCE) {
        let to = documents.min(from + MAX_AT_ONCE as u32);
        store.submit("b", (from..to).map(entry).collect()).await.unwrap();
    }
}

pub(super) async fn claim(store: &Store, stage: usize, max: usize) -> Option<BatchClaim> {
    store.claim("b", ClaimRequest::new(stage, max, MINUTE)).await.unwrap()
}

pub(super) async fn claim_some(store: &Store, stage: usize, max: usize) -> BatchClaim {
    claim(store, stage, max).await.expect("there is something to claim")
}

pub(super) fn ordinals(claim: &BatchClaim) -> Vec<u32> {
    claim.documents.iter().map(|document| document.ordinal).collect()
}

pub(super) async fn settle(
    store: &Store,
    stage: usize,
    claim: &BatchClaim,
    outcome: Outcome,
) -> Settled {
    let outcomes = ordinals(claim).into_iter().map(|ordinal| (ordinal, outcome.clone())).collect();
    store.settle("b", Settlement::new(stage, claim.token, outcomes)).await.unwrap()
}

pub(super) async fn done(store: &Store, stage: usize, claim: &BatchClaim) -> Settled {
    settle(store, stage, claim, Outcome::Done).await
}

pub(super) fn dead() -> Outcome {
    Outcome::Dead { error: "the file is empty".into() }
}

pub(super) fn retry(after: Duration) -> Outcome {
    Outcome::Retry { error: "the service does not answer".into(), after }
}

pub(super) async fn progress(store: &Store) -> BatchProgress {
    store.progress("b").await.unwrap().expect("there is a batch")
}

pub(super) async fn failures(store: &Store) -> Vec<BatchFailure> {
    let mut failures: Vec<BatchFailure> = store.failures("b").try_collect().await.unwrap();
    failures.sort();
    failures
}

/// Documents are numbered in the order of submission, without a gap, over any number of submissions.
pub async fn ordinals_count_up(harness: &dyn Harness) {
    let store = store(harness).await;
    let plan = BatchPlan::chain(&["extract"]);
    assert!(store.create("b", &plan).await.unwrap());
    assert!(!store.create("b", &plan).await.unwrap(), "there is one already");
    assert_eq!(store.plan("b").await.unwrap(), plan);
    let entries = |from: u32, to: u32| (from..to).map(|n| Bytes::from(format!("d{n}"))).collect();
    assert_eq!(store.submit("b", entries(0, 150)).await.unwrap(), 0);
    assert_eq!(store.submit("b", entries(150, 151)).await.unwrap(), 150);
    assert_eq!(store.submit("b", vec![Bytes::from_static(b"\0\xff")]).await.unwrap(), 151);
    let claim = claim_some(&store, 0, 1_000).await;
    assert_eq!(ordinals(&claim), (0..152).collect::<Vec<u32>>());
    assert_eq!(claim.documents[130].entry, "d130");
    assert_eq!(claim.documents[151].entry, &b"\0\xff"[..]);
    assert!(claim.documents.iter().all(|document| document.attempt == 1));
    assert_eq!(progress(&store).await.bytes, 10 * 2 + 90 * 3 + 51 * 4 + 2);
    let too_many = vec![Bytes::new(); MAX_AT_ONCE + 1];
    expect_error(store.submit("b", too_many).await, InvalidArgument);
    expect_error(store.submit("b", Vec::new()).await, InvalidArgument);
    let too_long = vec![Bytes::from(vec![0; MAX_ENTRY + 1])];
    expect_error(store.submit("b", too_long).await, InvalidArgument);
    assert_eq!(progress(&store).await.total, 152);
}

/// A document can be claimed for a stage once every stage before it is done with it, and by one claim.
pub async fn a_stage_is_claimed_after_those_before_it(harness: &dyn Harness) {
    // Two branches that join again.
    let plan = BatchPlan::new()
        .stage("extract", &[])
        .stage("entities", &[0])
        .stage("chunk", &[0])
        .stage("relate", &[1, 2]);
    let store = batch(harness, plan, 3).await;
    for stage in 1..4 {
        assert_eq!(claim(&store, stage, 10).await, None);
    }
    let extract = claim_some(&store, 0, 2).await;
    assert_eq!(claim_some(&store, 0, 10).await.documents.len(), 1);
    assert_eq!(claim(&store, 0, 10).await, None);
    done(&store, 0, &extract).await;
    let entities = claim_some(&store, 1, 10).await;
    assert_eq!(ordinals(&entities), [0, 1]);
    done(&store, 1, &entities).await;
    assert_eq!(claim(&store, 3, 10).await, None, "they are not cut into chunks yet");
    let chunk = claim_some(&store, 2, 1).await;
    assert_eq!(chunk.documents[0].entry, "document 0");
    done(&store, 2, &chunk).await;
    assert_eq!(ordinals(&claim_some(&store, 3, 10).await), [0]);
    expect_error(store.claim("b", ClaimRequest::new(4, 1, MINUTE)).await, InvalidArgument);
    expect_error(store.claim("b", ClaimRequest::new(0, 0, MINUTE)).await, InvalidArgument);
    expect_error(store.claim("b", ClaimRequest::new(0, 1, Duration::ZERO)).await, InvalidArgument);
}

/// A document that is settled twice, by any workers, counts once.
pub async fn progress_moves_only_with_a_fact(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract", "chunk"]), 3).await;
    let extract = claim_some(&store, 0, 2).await;
    let stage = progress(&store).await.stages[0];
    assert_eq!((stage.claimed, stage.ready, stage.done), (2, 1, 0));
    assert_eq!(done(&store, 0, &extract).await.counted, 2);
    assert_eq!(done(&store, 0, &extract).await.counted, 0);
    assert_eq!(settle(&store, 0, &extract, dead()).await.counted, 0);
    // Outcomes of documents that nobody has claimed are ignored.
    let unclaimed = vec![(2, Outcome::Done), (99, Outcome::Done)];
    let settled = store.settle("b", Settlement::new(0, extract.token, unclaimed)).await.unwrap();
    assert_eq!(settled.counted, 0);
    let chunk = claim_some(&store, 1, 2).await;
    assert_eq!(done(&store, 1, &chunk).await.counted, 2);
    let progress = progress(&store).await;
    assert_eq!((progress.total, progress.done, progress.dead), (3, 2, 0));
    assert_eq!((progress.stages[0].done, progress.stages[0].claimed), (2, 0));
    assert_eq!((progress.stages[0].ready, progress.stages[1].done), (1, 2));
    assert!(!progress.is_settled());
}

/// A dead document counts once, however many of its stages fail, and later stages do not get it.
pub async fn a_dead_document_goes_no_further(harness: &dyn Harness) {
    let plan = BatchPlan::new().stage("a", &[]).stage("b", &[]).stage("c", &[0, 1]);
    let store = batch(harness, plan, 1).await;
    let (a, b) = (claim_some(&store, 0, 1).await, claim_some(&store, 1, 1).await);
    assert_eq!(settle(&store, 0, &a, dead()).await.counted, 1);
    assert_eq!(settle(&store, 1, &b, dead()).await.counted, 1);
    assert_eq!(claim(&store, 2, 1).await, None);
    let progress = progress(&store).await;
    assert_eq!((progress.dead, progress.done), (1, 0));
    assert_eq!((progress.stages[0].dead, progress.stages[1].dead), (1, 1));
    let failures = failures(&store).await;
    assert_eq!(failures.len(), 2);
    assert_eq!((failures[0].stage, failures[0].ordinal), (0, 0));
    assert_eq!(failures[0].error, "the file is empty");
}

/// The request that completes a batch reports it; the completion can be claimed until it is finished.
pub async fn a_batch_completes_once_sealed_and_settled(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 2).await;
    let first = claim_some(&store, 0, 1).await;
    assert!(!done(&store, 0, &first).await.is_completed);
    let second = claim_some(&store, 0, 1).await;
    assert_eq!(store.seal("b").await.unwrap(), BatchStatus::Sealed);
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
    assert!(settle(&store, 0, &second, dead()).await.is_completed);
    assert!(!done(&store, 0, &second).await.is_completed, "it was completed before");
    assert_eq!(progress(&store).await.status, BatchStatus::Completed);
    let token = store.claim_completion("b", MINUTE).await.unwrap().expect("it is due");
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None, "it is somebody's");
    harness.advance(MINUTE).await;
    assert!(!store.finish_completion("b", token).await.unwrap(), "the lease has ended");
    let again = store.claim_completion("b", MINUTE).await.unwrap().expect("it is due again");
    assert!(again > token);
    assert!(!store.finish_completion("b", token).await.unwrap());
    assert!(store.finish_completion("b", again).await.unwrap());
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
    assert!(!store.finish_completion("b", again).await.unwrap());
}

/// An empty batch completes when it is sealed, and its completion is due.
pub async fn an_empty_batch_completes_when_it_is_sealed(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 0).await;
    assert_eq!(store.seal("b").await.unwrap(), BatchStatus::Completed);
    assert_eq!(store.seal("b").await.unwrap(), BatchStatus::Completed);
    assert!(store.claim_completion("b", MINUTE).await.unwrap().is_some());
}

/// An attempt is a contract error and changes nothing.
pub async fn nothing_is_added_to_a_sealed_batch(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 1).await;
    store.seal("b").await.unwrap();
    expect_error(store.submit("b", vec![Bytes::new()]).await, Contract);
    assert_eq!(progress(&store).await.total, 1);
}

/// A submission beyond the plan's bytes is out of memory and adds nothing; settling still works.
pub async fn a_full_batch_refuses_documents_and_settles_on(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]).max_bytes(30), 2).await;
    expect_error(store.submit("b", vec![Bytes::from_static(b"x"); 11]).await, OutOfMemory);
    assert_eq!(progress(&store).await.total, 2);
    assert_eq!(store.submit("b", vec![Bytes::from_static(b"x"); 10]).await.unwrap(), 2);
    let all = claim_some(&store, 0, 20).await;
    assert_eq!(done(&store, 0, &all).await.counted, 12);
}

/// A paused batch hands out nothing, a cancelled one never again; both accept outcomes.
pub async fn a_paused_batch_hands_out_nothing(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 3).await;
    let first = claim_some(&store, 0, 1).await;
    store.pause("b", true).await.unwrap();
    assert_eq!(claim(&store, 0, 1).await, None);
    assert!(progress(&store).await.is_paused);
    assert_eq!(done(&store, 0, &first).await.counted, 1);
    store.pause("b", false).await.unwrap();
    let second = claim_some(&store, 0, 1).await;
    assert_eq!(store.cancel("b").await.unwrap(), BatchStatus::Cancelled);
    assert_eq!(claim(&store, 0, 1).await, None);
    assert_eq!(done(&store, 0, &second).await.counted, 1);
    assert_eq!(store.seal("b").await.unwrap(), BatchStatus::Cancelled);
    expect_error(store.submit("b", vec![Bytes::new()]).await, Contract);
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
}

/// A retried document counts as open again, and a completed batch completes again.
pub async fn what_is_dead_can_be_retried(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 2).await;
    store.seal("b").await.unwrap();
    let both = claim_some(&store, 0, 2).await;
    assert!(settle(&store, 0, &both, dead()).await.is_completed);
    let nothing = vec![(0, 7), (3, 0), (9, 9)];
    assert_eq!(store.retry("b", nothing).await.unwrap(), 0);
    assert_eq!(store.retry("b", vec![(0, 1), (0, 1)]).await.unwrap(), 1);
    let reopened = progress(&store).await;
    assert_eq!((reopened.status, reopened.dead), (BatchStatus::Sealed, 1));
    assert_eq!(failures(&store).await.len(), 1);
    assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
    // Retries all dead documents whose error begins with this text, of one stage or of any.
    assert_eq!(store.retry_failed("b", Some(1), None).await.unwrap(), 0);
    assert_eq!(store.retry_failed("b", None, Some("no such")).await.unwrap(), 0);
    let again = claim_some(&store, 0, 2).await;
    assert_eq!((ordinals(&again), again.documents[0].attempt), (vec![1], 1));
    assert!(done(&store, 0, &again).await.is_completed);
    assert!(store.claim_completion("b", MINUTE).await.unwrap().is_some());
    let settled = progress(&store).await;
    assert_eq!((settled.done, settled.dead), (1, 1));
    assert_eq!(store.retry_failed("b", Some(0), Some("the file is")).await.unwrap(), 1);
    assert_eq!(progress(&store).await.dead, 0);
}

/// Every operation on a missing batch is unknown, except progress, failures and removal.
pub async fn a_batch_that_is_not_there_is_unknown(harness: &dyn Harness) {
    let store = store(harness).await;
    let token = FencingToken::from_number(1);
    expect_error(store.submit("b", vec![Bytes::new()]).await, Unknown);
    expect_error(store.seal("b").await, Unknown);
    expect_error(store.claim("b", ClaimRequest::new(0, 1, MINUTE)).await, Unknown);
    expect_error(store.renew("b", token, MINUTE).await, Unknown);
    expect_error(
        store.settle("b", Settlement::new(0, token, vec![(0, Outcome::Done)])).await,
        Unknown,
    );
    expect_error(store.plan("b").await, Unknown);
    expect_error(store.retry("b", vec![(0, 0)]).await, Unknown);
    expect_error(store.claim_completion("b", MINUTE).await, Unknown);
    assert_eq!(store.progress("b").await.unwrap(), None);
    assert!(failures(&store).await.is_empty());
    assert!(!store.remove("b").await.unwrap());
    for plan in [BatchPlan::new(), BatchPlan::chain(&["a", "a"]), BatchPlan::chain(&["A"])] {
        expect_error(store.create("b", &plan).await, InvalidArgument);
    }
    let backwards = BatchPlan::new().stage("a", &[0]);
    expect_error(store.create("b", &backwards).await, InvalidArgument);
    let evicts = cache(harness).await.batch().clone();
    expect_error(evicts.create("b", &BatchPlan::chain(&["a"])).await, Contract);
}

/// Tested on a key that holds a value and on one that holds a hash.
pub async fn batch_operations_on_another_type_are_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.batch();
    database.key_value().put("{batch:b}", "text").await.unwrap();
    database.hash().set_field("{batch:c}", "f", "v").await.unwrap();
    for name in ["b", "c"] {
        expect_error(store.create(name, &BatchPlan::chain(&["a"])).await, WrongType);
        expect_error(store.submit(name, vec![Bytes::new()]).await, WrongType);
        expect_error(store.progress(name).await, WrongType);
        expect_error(store.remove(name).await, WrongType);
    }
}

/// A document has one owner at a time among any number of workers.
pub async fn a_document_has_one_owner(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract", "chunk"]), 500).await;
    store.seal("b").await.unwrap();
    for stage in 0..2 {
        let workers = (0..8).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Some(some) = claim(&store, stage, 17).await {
                    mine.extend(ordinals(&some));
                    assert_eq!(
                        done(&store, stage, &some).await.counted as usize,
                        some.documents.len()
                    );
                }
                mine
            })
        });
        let mut seen = BTreeSet::new();
        for mine in all(workers.collect()).await {
            for ordinal in mine {
                assert!(seen.insert(ordinal), "{ordinal} was handed out twice");
            }
        }
        assert_eq!(seen.len(), 500);
    }
    let progress = progress(&store).await;
    assert_eq!((progress.done, progress.status), (500, BatchStatus::Completed));
    assert!(store.remove("b").await.unwrap());
    assert_eq!(store.progress("b").await.unwrap(), None);
}

/// The last two settlements complete the batch once, even if one of them races the seal.
pub async fn the_last_two_to_settle_complete_once(harness: &dyn Harness) {
    let store = store(harness).await;
    for round in 0..20 {
        assert!(store.create("b", &BatchPlan::chain(&["extract"])).await.unwrap());
        submit(&store, 2).await;
        let claims = [claim_some(&store, 0, 1).await, claim_some(&store, 0, 1).await];
        if round % 2 == 0 {
            store.seal("b").await.unwrap();
        }
        let workers = claims.into_iter().flat_map(|claim| [claim.clone(), claim]).map(|claim| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { done(&store, 0, &claim).await })
        });
        let mut workers: Vec<_> = workers.collect();
        if round % 2 == 1 {
            let store = Arc::clone(&store);
            workers.push(tokio::spawn(async move {
                let mut sealed = Settled::default();
                sealed.is_completed = store.seal("b").await.unwrap() == BatchStatus::Completed;
                sealed
            }));
        }
        let settled = all(workers).await;
        assert_eq!(settled.iter().map(|one| one.counted).sum::<u64>(), 2);
        assert_eq!(settled.iter().filter(|one| one.is_completed).count(), 1, "{settled:?}");
        assert!(store.claim_completion("b", MINUTE).await.unwrap().is_some());
        assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
        assert!(store.remove("b").await.unwrap());
    }
}

suite! { batch as batch_suite, needs Batches:
    ordinals_count_up
    a_stage_is_claimed_after_those_before_it
    progress_moves_only_with_a_fact
    a_dead_document_goes_no_further
    a_batch_completes_once_sealed_and_settled
    an_empty_batch_completes_when_it_is_sealed
    nothing_is_added_to_a_sealed_batch
    a_full_batch_refuses_documents_and_settles_on
    a_paused_batch_hands_out_nothing
    what_is_dead_can_be_retried
    a_batch_that_is_not_there_is_unknown
    batch_operations_on_another_type_are_wrong_type
    a_document_has_one_owner
    the_last_two_to_settle_complete_once
}
