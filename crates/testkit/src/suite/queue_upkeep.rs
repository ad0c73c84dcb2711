//! The contract of [`compartment_core::QueueStore`] about the upkeep of tasks.

use std::time::Duration;

use compartment_core::ErrorKind::InvalidArgument;
use compartment_core::{AfterFailure, MAX_TTL, NewTask, QueueStoreExt, TaskClass, TaskId};

use super::databases::{MINUTE, durable, expect_error};
use super::queue::{MILLISECOND, QUEUE, claim, claim_one, max, payloads, queue, submit};
use crate::Harness;

/// A replayed task keeps its class and group; if another task has its key by then, it stays dead.
pub async fn a_replayed_task_takes_its_deduplication_key_again(harness: &dyn Harness) {
    let store = queue(harness).await;
    let task = |name: &str| {
        NewTask::new(name.to_owned())
            .class(TaskClass::Low)
            .group("smith")
            .deduplication_key("doc:1")
    };
    let mut dead: Vec<TaskId> = Vec::new();
    for name in ["first", "second"] {
        dead.push(submit(&store, task(name)).await);
        let claimed = claim_one(&store).await.unwrap().claim;
        assert!(store.fail(QUEUE, claimed, "blank", AfterFailure::Bury).await.unwrap());
        harness.advance(MILLISECOND).await;
    }
    // Of two tasks that had the key, one gets it back.
    assert_eq!(store.replay(QUEUE, &dead).await.unwrap(), 1);
    assert_eq!(store.replay(QUEUE, &dead).await.unwrap(), 0);
    let refused = store.submit_one(QUEUE, task("third")).await.unwrap();
    assert_eq!((refused.is_new, refused.id), (false, dead[0]));
    assert_eq!(store.replay_dead(QUEUE, None).await.unwrap(), 0, "and it ends");
    let replayed = claim_one(&store).await.unwrap();
    assert_eq!((&replayed.payload[..], replayed.class), (&b"first"[..], TaskClass::Low));
    assert_eq!((replayed.group.as_str(), replayed.attempt, replayed.lost), ("smith", 1, 0));
    assert!(!store.submit_one(QUEUE, task("third")).await.unwrap().is_new, "it is claimed");
    assert_eq!(store.complete(QUEUE, &[replayed.claim]).await.unwrap(), [true]);
    // A completed task frees its key; a discarded task has none.
    assert_eq!(store.replay_dead(QUEUE, None).await.unwrap(), 1);
    let again = claim_one(&store).await.unwrap();
    assert_eq!(&again.payload[..], b"second");
    assert!(store.fail(QUEUE, again.claim, "blank", AfterFailure::Bury).await.unwrap());
    assert_eq!(store.discard(QUEUE, &dead).await.unwrap(), 1);
    let fourth = submit(&store, task("fourth")).await;
    assert_eq!(store.replay(QUEUE, &[dead[1]]).await.unwrap(), 0);
    let refused = store.submit_one(QUEUE, task("fifth")).await.unwrap();
    assert_eq!((refused.is_new, refused.id), (false, fourth));
    // A purge frees the keys.
    assert_eq!(store.purge(QUEUE).await.unwrap(), 1);
    assert!(store.submit_one(QUEUE, task("sixth")).await.unwrap().is_new);
}

/// The error names the bad task; values at the limits are accepted.
pub async fn a_submission_with_a_bad_task_takes_none(harness: &dyn Harness) {
    let database = durable(harness).await;
    let store = database.queue();
    let (long, longest) = ("x".repeat(256), "é".repeat(127) + "x");
    let task = || NewTask::new("");
    for bad in [
        task().group(long.as_str()),
        task().deduplication_key(long.as_str()),
        task().deduplication_key(""),
        task().delay(Duration::MAX),
        task().delay(MAX_TTL * 2),
    ] {
        let submitted = store.submit(QUEUE, vec![task(), bad, task()]).await;
        let error = submitted.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(error.contains("task 1 of 3: "), "{error}");
        expect_error(submitted, InvalidArgument, &database, QUEUE);
    }
    assert_eq!(store.counts(QUEUE).await.unwrap().waiting, 0);
    let good = [
        task().group(longest.as_str()).deduplication_key(longest.as_str()),
        task().group("two\nlines}{").deduplication_key("\0"),
        task().delay(Duration::from_nanos(1)),
        task().delay(MAX_TTL),
    ];
    let submitted = store.submit(QUEUE, good.to_vec()).await.unwrap();
    assert!(submitted.iter().all(|task| task.is_new));
    harness.advance(MINUTE).await;
    let claimed = claim(store, max(9)).await;
    assert_eq!(payloads(&claimed), ["", "", ""]);
    assert!(claimed.iter().any(|task| task.group == longest));
    for name in ["two\nlines", "}{", longest.as_str()] {
        assert!(store.submit_one(name, task()).await.unwrap().is_new);
        assert_eq!(store.claim(name, max(9)).await.unwrap().len(), 1);
    }
    assert!(store.submit(QUEUE, Vec::new()).await.unwrap().is_empty());
    let late = AfterFailure::Retry(Duration::MAX);
    let failed = store.fail(QUEUE, claimed[0].claim, "x", late).await;
    expect_error(failed, InvalidArgument, &database, QUEUE);
    assert_eq!(store.dead(QUEUE, u64::MAX, u32::MAX).await.unwrap(), []);
}

suite! { queue_upkeep as queue_upkeep_suite, needs Queues:
    a_replayed_task_takes_its_deduplication_key_again
    a_submission_with_a_bad_task_takes_none
}
