//! The contract of [`compartment_core::BatchStore`] about claimed documents.

use std::time::Duration;

use compartment_core::{BatchPlan, BatchStatus, Outcome, Settlement};

use super::batch::{
    batch, claim, claim_some, dead, done, failures, ordinals, progress, retry, settle,
};
use super::databases::MINUTE;
use crate::Harness;

/// A document whose lease expired can be claimed by any worker, as another attempt.
pub async fn what_is_not_settled_in_its_lease_is_claimed_again(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 5).await;
    let lost = claim_some(&store, 0, 3).await;
    let settled = vec![(1, Outcome::Done)];
    assert_eq!(
        store.settle("b", Settlement::new(0, lost.token, settled)).await.unwrap().counted,
        1
    );
    assert_eq!(ordinals(&claim_some(&store, 0, 1).await), [3]);
    harness.advance(MINUTE).await;
    let mut again = Vec::new();
    for _ in 0..4 {
        let claim = claim_some(&store, 0, 10).await;
        assert!(claim.token > lost.token);
        let documents = claim.documents.iter();
        again.extend(documents.map(|one| (one.ordinal, one.attempt, one.lost)));
    }
    // Documents that come back are handed out first.
    assert_eq!(again, [(3, 1, 1), (0, 1, 1), (2, 1, 1), (4, 1, 0)]);
    assert_eq!(progress(&store).await.stages[0].claimed, 4);
}

/// One of the documents of a claim ends every worker that has it; the others are done, and only it is dead.
pub async fn a_document_whose_lease_expired_is_claimed_alone(harness: &dyn Harness) {
    const DOCUMENTS: u32 = 40;
    const POISON: u32 = 17;
    let plan = BatchPlan::chain(&["extract"]).max_lost(5);
    let store = batch(harness, plan, DOCUMENTS).await;
    assert_eq!(claim_some(&store, 0, DOCUMENTS as usize).await.documents.len(), 40);
    harness.advance(MINUTE).await;
    let mut ended = 1;
    while let Some(claim) = claim(&store, 0, DOCUMENTS as usize).await {
        assert!(claim.documents.len() == 1, "{:?}", ordinals(&claim));
        if ordinals(&claim) == [POISON] {
            ended += 1;
            harness.advance(MINUTE).await;
        } else {
            done(&store, 0, &claim).await;
        }
    }
    let progress = progress(&store).await;
    assert_eq!((progress.done, progress.dead, ended), (39, 1, 5));
    assert_eq!(failures(&store).await[0].ordinal, POISON);
}

/// An expired lease cannot be renewed.
pub async fn a_renewed_lease_keeps_its_documents(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 1).await;
    let held = claim_some(&store, 0, 1).await;
    harness.advance(MINUTE / 2).await;
    assert!(store.renew("b", held.token, MINUTE).await.unwrap());
    harness.advance(MINUTE / 2).await;
    assert_eq!(claim(&store, 0, 1).await, None);
    harness.advance(MINUTE / 2).await;
    assert!(!store.renew("b", held.token, MINUTE).await.unwrap());
    assert_eq!(claim_some(&store, 0, 1).await.documents[0].lost, 1);
    assert!(!store.renew("b", held.token, MINUTE).await.unwrap());
}

/// A worker that lost its claim may have finished the work, but only the new owner reports failures.
pub async fn a_late_success_counts_and_a_late_failure_does_not(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract", "chunk"]), 2).await;
    let late = claim_some(&store, 0, 2).await;
    harness.advance(MINUTE).await;
    assert_eq!(settle(&store, 0, &late, dead()).await.counted, 0);
    let (first, owner) = (claim_some(&store, 0, 2).await, claim_some(&store, 0, 2).await);
    assert_eq!((ordinals(&first), ordinals(&owner)), (vec![0], vec![1]));
    assert_eq!(settle(&store, 0, &late, retry(MINUTE)).await.counted, 0);
    assert_eq!(settle(&store, 0, &late, Outcome::HandedBack).await.counted, 0);
    let one = vec![(0, Outcome::Done)];
    assert_eq!(store.settle("b", Settlement::new(0, late.token, one)).await.unwrap().counted, 1);
    assert_eq!(ordinals(&claim_some(&store, 1, 2).await), [0]);
    // A later failure does not undo a success.
    assert_eq!(settle(&store, 0, &first, retry(MINUTE)).await.counted, 0);
    assert!(failures(&store).await.is_empty());
    assert_eq!(settle(&store, 0, &owner, dead()).await.counted, 1);
    let progress = progress(&store).await;
    assert_eq!((progress.stages[0].done, progress.stages[0].dead), (1, 1));
    assert_eq!(progress.stages[0].claimed, 0);
}

/// A document dies of reported failures or of expired leases, which may also complete the batch. The two are counted
/// separately.
pub async fn what_fails_too_often_is_dead(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]).max_attempts(2).max_lost(2), 2).await;
    store.seal("b").await.unwrap();
    for attempt in 1..=2 {
        let first = claim_some(&store, 0, 1).await;
        assert_eq!((ordinals(&first), first.documents[0].attempt), (vec![0], attempt));
        assert_eq!(settle(&store, 0, &first, retry(Duration::ZERO)).await.counted, 1);
        if attempt == 1 {
            // The other document waits behind one that is retried at once.
            let second = claim_some(&store, 0, 2).await;
            assert_eq!(ordinals(&second), [0, 1]);
            settle(&store, 0, &second, Outcome::HandedBack).await;
        }
    }
    assert_eq!(progress(&store).await.dead, 1);
    for lost in 0..2 {
        let second = claim_some(&store, 0, 1).await;
        assert_eq!((second.documents[0].attempt, second.documents[0].lost), (lost + 1, lost));
        if lost == 0 {
            // An expired lease does not make a failed attempt the last one.
            harness.advance(MINUTE).await;
            let again = claim_some(&store, 0, 1).await;
            assert_eq!((again.documents[0].attempt, again.documents[0].lost), (1, 1));
            assert_eq!(settle(&store, 0, &again, retry(Duration::ZERO)).await.counted, 1);
            assert_eq!(progress(&store).await.dead, 1);
        } else {
            harness.advance(MINUTE).await;
        }
    }
    assert_eq!(claim(&store, 0, 1).await, None);
    let progress = progress(&store).await;
    assert_eq!((progress.status, progress.dead), (BatchStatus::Completed, 2));
    assert!(store.claim_completion("b", MINUTE).await.unwrap().is_some());
    let failures = failures(&store).await;
    assert!(failures[1].error.contains("within its lease, 2 times"), "{failures:?}");
}

/// A document that is handed back can be claimed at once, and the attempt does not count.
pub async fn what_is_handed_back_is_claimed_again(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 2).await;
    for _ in 0..4 {
        let first = claim_some(&store, 0, 1).await;
        assert_eq!((ordinals(&first), first.documents[0].attempt), (vec![0], 1));
        assert_eq!(settle(&store, 0, &first, Outcome::HandedBack).await.counted, 1);
    }
}

/// A claim of documents or of the completion is undone; settled documents stay settled.
pub async fn a_claim_is_handed_back_by_its_token(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 4).await;
    let first = claim_some(&store, 0, 3).await;
    let one = vec![(1, Outcome::Done)];
    assert_eq!(store.settle("b", Settlement::new(0, first.token, one)).await.unwrap().counted, 1);
    assert!(store.release("b", first.token).await.unwrap());
    assert!(!store.release("b", first.token).await.unwrap(), "it holds nothing any more");
    let waiting = progress(&store).await.stages[0];
    assert_eq!((waiting.claimed, waiting.ready, waiting.done), (0, 3, 1));
    let again = claim_some(&store, 0, 9).await;
    assert_eq!(ordinals(&again), [0, 2, 3]);
    assert!(again.documents.iter().all(|one| (one.attempt, one.lost) == (1, 0)));
    harness.advance(MINUTE).await;
    assert!(!store.release("b", again.token).await.unwrap(), "its lease has ended");
    for _ in 0..3 {
        let last = claim_some(&store, 0, 9).await;
        done(&store, 0, &last).await;
    }
    store.seal("b").await.unwrap();
    let token = store.claim_completion("b", MINUTE).await.unwrap().unwrap();
    assert!(store.release("b", token).await.unwrap());
    let next = store.claim_completion("b", MINUTE).await.unwrap().expect("it is due again");
    assert!(!store.release("b", token).await.unwrap());
    assert!(store.finish_completion("b", next).await.unwrap());
    assert!(!store.release("b", next).await.unwrap());
}

/// A retried document is not handed out before its time, and counts as another attempt.
pub async fn a_retry_waits_for_its_time(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 1).await;
    let first = claim_some(&store, 0, 1).await;
    assert_eq!(settle(&store, 0, &first, retry(MINUTE)).await.counted, 1);
    let waiting = progress(&store).await.stages[0];
    assert_eq!((waiting.delayed, waiting.claimed, waiting.ready), (1, 0, 0));
    assert_eq!(failures(&store).await[0].error, "the service does not answer");
    harness.advance(MINUTE / 2).await;
    assert_eq!(claim(&store, 0, 1).await, None);
    harness.advance(MINUTE / 2).await;
    let again = claim_some(&store, 0, 1).await;
    assert_eq!(again.documents[0].attempt, 2);
    done(&store, 0, &again).await;
    assert!(failures(&store).await.is_empty(), "it is done after all");
}

/// A completion stays with its worker while it is renewed; afterwards any worker can claim it.
pub async fn a_renewed_completion_stays_with_its_worker(harness: &dyn Harness) {
    let store = batch(harness, BatchPlan::chain(&["extract"]), 0).await;
    assert_eq!(store.seal("b").await.unwrap(), BatchStatus::Completed);
    let token = store.claim_completion("b", MINUTE).await.unwrap().unwrap();
    for _ in 0..3 {
        harness.advance(MINUTE / 2).await;
        assert!(store.renew("b", token, MINUTE).await.unwrap());
        assert_eq!(store.claim_completion("b", MINUTE).await.unwrap(), None);
    }
    harness.advance(MINUTE).await;
    assert!(!store.renew("b", token, MINUTE).await.unwrap());
    let other = store.claim_completion("b", MINUTE).await.unwrap().unwrap();
    assert!(progress(&store).await.is_completing);
    assert!(!store.renew("b", token, MINUTE).await.unwrap());
    assert!(store.renew("b", other, MINUTE).await.unwrap());
    assert!(store.finish_completion("b", other).await.unwrap());
    assert!(!store.renew("b", other, MINUTE).await.unwrap());
    assert!(!progress(&store).await.is_completing);
}

suite! { batch_leases as batch_leases_suite, needs Batches:
    what_is_not_settled_in_its_lease_is_claimed_again
    a_document_whose_lease_expired_is_claimed_alone
    a_renewed_lease_keeps_its_documents
    a_renewed_completion_stays_with_its_worker
    a_late_success_counts_and_a_late_failure_does_not
    what_fails_too_often_is_dead
    what_is_handed_back_is_claimed_again
    a_claim_is_handed_back_by_its_token
    a_retry_waits_for_its_time
}
