//! The contract of [`compartment_core::BatchStore`] about claims whose future is dropped.

use bytes::Bytes;
use compartment_core::{BatchPlan, ClaimRequest};

use super::databases::{MINUTE, durable};
use super::queue_claims::{DROPPED, cut_short, one_round_trip_later};
use crate::Harness;

/// A dropped claim holds neither documents nor the completion beyond one round trip.
pub async fn a_dropped_claim_holds_nothing(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.batch();
    assert!(store.create("b", &BatchPlan::chain(&["extract"])).await.unwrap());
    store.submit("b", vec![Bytes::from_static(b"x"); 1_000]).await.unwrap();
    let mut kept = 0;
    for number in 0..DROPPED {
        let request = ClaimRequest::new(0, 3, MINUTE);
        let claimed = cut_short(number, store.claim("b", request)).await;
        kept += claimed.map_or(0, |claim| claim.unwrap().unwrap().documents.len() as u64);
    }
    one_round_trip_later(&database).await;
    let left = store.progress("b").await.unwrap().unwrap().stages[0];
    assert_eq!((left.claimed, left.ready), (kept, 1_000 - kept));
    let rest = store.claim("b", ClaimRequest::new(0, 1_000, MINUTE)).await.unwrap();
    let rest = rest.map_or(Vec::new(), |claim| claim.documents);
    assert_eq!(rest.len() as u64, 1_000 - kept);
    assert!(rest.iter().all(|one| (one.attempt, one.lost) == (1, 0)), "no attempt counted");

    assert!(store.create("empty", &BatchPlan::chain(&["extract"])).await.unwrap());
    store.seal("empty").await.unwrap();
    for number in 0..DROPPED {
        let token = cut_short(number, store.claim_completion("empty", MINUTE)).await;
        one_round_trip_later(&database).await;
        let token = match token {
            Some(token) => token.unwrap(),
            None => store.claim_completion("empty", MINUTE).await.unwrap(),
        };
        assert!(store.release("empty", token.expect("nobody has it")).await.unwrap());
    }
}

suite! { batch_claims as batch_claims_suite, needs Batches:
    a_dropped_claim_holds_nothing
}
