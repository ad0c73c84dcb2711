//! The contract of [`compartment_core::QueueStore`] about claims whose future is dropped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{ClaimOptions, Database, NewTask};

use super::databases::{MINUTE, durable};
use super::queue::QUEUE;
use crate::{Harness, give_up_after};

/// Number of futures dropped by each test.
pub(super) const DROPPED: u32 = 200;

/// Drops a future after a time that depends on `number`, at most about a round trip; returns its result if it was
/// faster.
pub(super) async fn cut_short<T>(number: u32, work: impl Future<Output = T>) -> Option<T> {
    give_up_after(Duration::from_micros(u64::from(number) * 2), work).await
}

/// Waits for the work left by dropped futures: one round trip each.
pub(super) async fn one_round_trip_later(database: &Database) {
    database.unfinished().done().await;
}

/// A dropped claim holds no tasks beyond one round trip; they wait in their former places.
pub async fn a_dropped_claim_of_tasks_holds_none(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = Arc::clone(database.queue());
    let tasks: Vec<NewTask> = (0..1_000).map(|n| NewTask::new(format!("{n:04}"))).collect();
    store.submit(QUEUE, tasks).await.unwrap();
    let mut kept = 0;
    for number in 0..DROPPED {
        let claimed = cut_short(number, store.claim(QUEUE, ClaimOptions::new(3, MINUTE))).await;
        kept += claimed.map_or(0, |tasks| tasks.unwrap().len() as u64);
    }
    one_round_trip_later(&database).await;
    let counts = store.counts(QUEUE).await.unwrap();
    assert_eq!((counts.claimed, counts.waiting), (kept, 1_000 - kept));
    let rest = store.claim(QUEUE, ClaimOptions::new(1_000, MINUTE)).await.unwrap();
    assert!(rest.is_sorted_by_key(|task| task.payload.clone()));
    assert!(rest.iter().all(|task| (task.attempt, task.lost) == (1, 0)), "no attempt counted");
}

suite! { queue_claims as queue_claims_suite, needs Queues:
    a_dropped_claim_of_tasks_holds_none
}
