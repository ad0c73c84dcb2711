//! The contract of [`compartment_core::QueueStore`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::ErrorKind::{Contract, InvalidArgument};
use compartment_core::{
    AfterFailure, Backoff, Claim, ClaimOptions, ClaimedTask, Clock, Database, FencingToken,
    NewTask, QueueCounts, QueueStore, QueueStoreExt, TaskClass, TaskId,
};

use super::databases::{MINUTE, all, cache, coordination, durable, expect_error};
use crate::Harness;

pub(super) const QUEUE: &str = "stage: {extract}";
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

pub(super) fn max(max: u32) -> ClaimOptions {
    ClaimOptions::new(max, MINUTE)
}

pub(super) async fn queue(harness: &dyn Harness) -> Arc<dyn QueueStore> {
    durable(harness).await.queue().clone()
}

pub(super) async fn submit(store: &Arc<dyn QueueStore>, task: NewTask) -> TaskId {
    let submitted = store.submit_one(QUEUE, task).await.unwrap();
    assert!(submitted.is_new);
    submitted.id
}

pub(super) async fn claim(store: &Arc<dyn QueueStore>, options: ClaimOptions) -> Vec<ClaimedTask> {
    store.claim(QUEUE, options).await.unwrap()
}

pub(super) async fn claim_one(store: &Arc<dyn QueueStore>) -> Option<ClaimedTask> {
    claim(store, max(1)).await.pop()
}

pub(super) fn payloads(tasks: &[ClaimedTask]) -> Vec<String> {
    tasks.iter().map(|task| String::from_utf8(task.payload.to_vec()).unwrap()).collect()
}

pub(super) fn claims(tasks: &[ClaimedTask]) -> Vec<Claim> {
    tasks.iter().map(|task| task.claim).collect()
}

async fn counts(store: &Arc<dyn QueueStore>) -> [u64; 4] {
    let QueueCounts { waiting, delayed, claimed, dead, .. } = store.counts(QUEUE).await.unwrap();
    [waiting, delayed, claimed, dead]
}

/// A task has one worker at a time among any number of callers, and is gone once it is completed.
pub async fn a_task_is_claimed_by_one_worker(harness: &dyn Harness) {
    let store = queue(harness).await;
    let tasks = (0..2_500).map(|n| NewTask::new(n.to_string())).collect();
    let submitted = store.submit(QUEUE, tasks).await.unwrap();
    assert_eq!(submitted.iter().map(|task| task.id).collect::<HashSet<_>>().len(), 2_500);
    let workers = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let tasks = claim(&store, max(50)).await;
                if tasks.is_empty() {
                    return done;
                }
                let counted = store.complete(QUEUE, &claims(&tasks)).await.unwrap();
                assert!(counted.iter().all(|counted| *counted));
                done.extend(payloads(&tasks));
            }
        })
    });
    let done: Vec<String> = all(workers.collect()).await.into_iter().flatten().collect();
    assert_eq!(done.len(), 2_500);
    assert_eq!(done.into_iter().collect::<HashSet<_>>().len(), 2_500);
    assert_eq!(counts(&store).await, [0; 4]);
}

/// A failed task keeps its place by its first submission, and has the number of its attempt.
pub async fn a_failed_task_comes_back_after_its_pause(harness: &dyn Harness) {
    let store = queue(harness).await;
    let first = submit(&store, NewTask::new("first")).await;
    let submitted_at = harness.clock().now().as_millis();
    harness.advance(SECOND).await;
    submit(&store, NewTask::new("second")).await;
    let task = claim_one(&store).await.unwrap();
    assert_eq!((task.claim.id, task.attempt), (first, 1));
    let again = AfterFailure::Retry(SECOND * 30);
    assert!(store.fail(QUEUE, task.claim, "no answer", again).await.unwrap());
    assert!(!store.fail(QUEUE, task.claim, "no answer", again).await.unwrap(), "twice");
    assert_eq!(counts(&store).await, [1, 1, 0, 0]);
    harness.advance(SECOND * 30 - MILLISECOND).await;
    submit(&store, NewTask::new("third")).await;
    assert_eq!(payloads(&claim(&store, max(1)).await), ["second"]);
    harness.advance(MILLISECOND).await;
    let task = claim_one(&store).await.unwrap();
    assert_eq!((task.claim.id, task.attempt, &task.payload[..]), (first, 2, &b"first"[..]));
    assert_eq!(task.submitted_at.as_millis(), submitted_at);
    let at_once = AfterFailure::Retry(Duration::ZERO);
    assert!(store.fail(QUEUE, task.claim, "no answer", at_once).await.unwrap());
    assert_eq!(claim_one(&store).await.unwrap().attempt, 3);
    let pause = Backoff::default().after(3);
    assert!(pause >= SECOND * 2 && pause <= SECOND * 4, "{pause:?}");
}

/// A buried task is not claimed any more.
pub async fn a_buried_task_is_listed_with_its_error(harness: &dyn Harness) {
    let store = queue(harness).await;
    let task = NewTask::new(Bytes::from_static(b"\0\xff")).class(TaskClass::Low).group("b: 1");
    let id = submit(&store, task).await;
    let claimed = claim_one(&store).await.unwrap();
    assert_eq!((claimed.class, claimed.group.as_str()), (TaskClass::Low, "b: 1"));
    harness.advance(SECOND).await;
    let long = "é".repeat(5_000);
    assert!(store.fail(QUEUE, claimed.claim, &long, AfterFailure::Bury).await.unwrap());
    assert!(claim_one(&store).await.is_none());
    let dead = store.dead(QUEUE, 0, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].id, dead[0].attempts), (id, 1));
    assert_eq!((dead[0].class, dead[0].group.as_str()), (TaskClass::Low, "b: 1"));
    assert_eq!(dead[0].died_at.since(dead[0].submitted_at), SECOND);
    assert_eq!(&dead[0].payload[..], b"\0\xff");
    assert_eq!(dead[0].error, "é".repeat(512), "its first kilobyte");
    assert_eq!(store.dead(QUEUE, 1, 10).await.unwrap(), []);
}

/// A task that crashes workers cannot do so forever; expired leases are counted apart from failures.
pub async fn a_task_whose_leases_end_is_dead_in_the_end(harness: &dyn Harness) {
    let store = queue(harness).await;
    submit(&store, NewTask::new("deadly").deduplication_key("only one")).await;
    let mut options = max(1);
    options.max_lost = 3;
    let failed = claim(&store, options).await.pop().unwrap().claim;
    assert!(
        store.fail(QUEUE, failed, "no answer", AfterFailure::Retry(Duration::ZERO)).await.unwrap()
    );
    for lost in 0..3 {
        let task = claim(&store, options).await.pop().unwrap();
        assert_eq!((task.attempt, task.lost), (2, lost));
        harness.advance(MINUTE).await;
    }
    assert_eq!(claim(&store, options).await, []);
    let dead = store.dead(QUEUE, 0, 10).await.unwrap();
    assert_eq!((dead[0].attempts, dead[0].lost), (1, 3), "{dead:?}");
    assert!(dead[0].error.contains("lease"), "{dead:?}");
    submit(&store, NewTask::new("again").deduplication_key("only one")).await;
}

/// One of the tasks of a claim ends every worker that has it; the others are done, and only it is dead.
pub async fn a_task_whose_lease_expired_is_claimed_alone(harness: &dyn Harness) {
    let store = queue(harness).await;
    for number in 0..20 {
        submit(&store, NewTask::new(format!("task {number}")).group(format!("{}", number % 3)))
            .await;
    }
    let mut options = max(20);
    options.max_lost = 4;
    assert_eq!(claim(&store, options).await.len(), 20);
    submit(&store, NewTask::new("later")).await;
    harness.advance(MINUTE).await;
    let (mut ended, mut done) = (1, 0);
    loop {
        let claimed = claim(&store, options).await;
        let Some(task) = claimed.first() else { break };
        assert!(claimed.len() == 1 || claimed.iter().all(|task| task.lost == 0), "{claimed:?}");
        if task.payload == "task 11" {
            ended += 1;
            harness.advance(MINUTE).await;
        } else {
            let claims: Vec<Claim> = claimed.iter().map(|task| task.claim).collect();
            done += store.complete(QUEUE, &claims).await.unwrap().len();
        }
    }
    assert_eq!((done, ended), (20, 4));
    let dead = store.dead(QUEUE, 0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].lost, &dead[0].payload[..]), (1, 4, &b"task 11"[..]));
}

/// A worker whose task was claimed by another changes nothing, and the answer says so.
pub async fn only_the_last_claim_counts(harness: &dyn Harness) {
    let store = queue(harness).await;
    submit(&store, NewTask::new("a")).await;
    let late = claim_one(&store).await.unwrap().claim;
    harness.advance(MINUTE * 2).await;
    assert_eq!(store.renew(QUEUE, &[late], MINUTE).await.unwrap(), [true], "late, and alone");
    harness.advance(MINUTE).await;
    let next = claim_one(&store).await.unwrap();
    assert_eq!((next.attempt, next.lost), (1, 1));
    let never = Claim::new(TaskId::from_number(7), FencingToken::from_number(7));
    for old in [late, never] {
        assert_eq!(store.renew(QUEUE, &[old], MINUTE).await.unwrap(), [false]);
        assert_eq!(store.release(QUEUE, &[old]).await.unwrap(), [false]);
        assert_eq!(store.complete(QUEUE, &[old]).await.unwrap(), [false]);
        assert!(!store.fail(QUEUE, old, "x", AfterFailure::Bury).await.unwrap());
    }
    assert_eq!(counts(&store).await, [0, 0, 1, 0]);
    harness.advance(MINUTE * 3).await;
    let twice = [next.claim, late, next.claim];
    assert_eq!(store.complete(QUEUE, &twice).await.unwrap(), [true, false, false]);
    assert_eq!(counts(&store).await, [0; 4]);
}

/// Tasks that are handed back wait in their former place.
pub async fn claims_that_are_handed_back_are_no_attempts(harness: &dyn Harness) {
    let store = queue(harness).await;
    for name in ["a", "b", "c"] {
        submit(&store, NewTask::new(name)).await;
        harness.advance(MILLISECOND).await;
    }
    let two = claim(&store, max(2)).await;
    assert_eq!(store.release(QUEUE, &claims(&two)).await.unwrap(), [true, true]);
    assert_eq!(store.release(QUEUE, &claims(&two)).await.unwrap(), [false, false]);
    let three = claim(&store, max(3)).await;
    assert_eq!(payloads(&three), ["a", "b", "c"]);
    assert!(three.iter().all(|task| task.attempt == 1));
}

/// Tokens and ids grow, also over purges.
pub async fn tokens_of_claims_only_grow(harness: &dyn Harness) {
    let store = queue(harness).await;
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    for round in 0..6 {
        ids.push(submit(&store, NewTask::new("a")).await.number());
        let claimed = claim_one(&store).await.unwrap();
        tokens.push(claimed.claim.token.number());
        match round % 3 {
            0 => drop(store.release(QUEUE, &[claimed.claim]).await.unwrap()),
            1 => assert!(store.purge(QUEUE).await.unwrap() > 0),
            _ => harness.advance(MINUTE).await,
        }
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    assert!(tokens[0] >= 1_000_000_000_000_000, "since 1970: over a flush of the database");
}

/// A key is taken until its task is complete or dead.
pub async fn a_deduplication_key_is_taken_once(harness: &dyn Harness) {
    let store = queue(harness).await;
    let task = || NewTask::new("a").deduplication_key("doc:1");
    let two = store.submit(QUEUE, vec![task(), task(), NewTask::new("b")]).await.unwrap();
    assert_eq!(two.iter().map(|task| task.is_new).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(two[0].id, two[1].id);
    for end in ["complete", "bury"] {
        let claimed = claim(&store, max(2)).await;
        let claimed = claimed.iter().find(|task| task.payload == "a").unwrap().claim;
        assert!(!store.submit_one(QUEUE, task()).await.unwrap().is_new, "claimed");
        let retry = AfterFailure::Retry(Duration::ZERO);
        assert!(store.fail(QUEUE, claimed, "x", retry).await.unwrap());
        assert!(!store.submit_one(QUEUE, task()).await.unwrap().is_new, "failed once");
        let again = claim_one(&store).await.unwrap().claim;
        match end {
            "complete" => assert_eq!(store.complete(QUEUE, &[again]).await.unwrap(), [true]),
            _ => assert!(store.fail(QUEUE, again, "x", AfterFailure::Bury).await.unwrap()),
        }
        assert!(store.submit_one(QUEUE, task()).await.unwrap().is_new, "after {end}");
    }
    let later = NewTask::new("c").deduplication_key("later").delay(MINUTE);
    submit(&store, later.clone()).await;
    assert!(!store.submit_one(QUEUE, later).await.unwrap().is_new, "delayed");
}

/// A delayed task counts as submitted at its time.
pub async fn a_delayed_task_waits_for_its_time(harness: &dyn Harness) {
    let store = queue(harness).await;
    submit(&store, NewTask::new("later").delay(SECOND * 10)).await;
    harness.advance(SECOND * 5).await;
    submit(&store, NewTask::new("sooner")).await;
    assert_eq!(counts(&store).await, [1, 1, 0, 0]);
    harness.advance(SECOND * 5 - MILLISECOND).await;
    assert_eq!(payloads(&claim(&store, max(5)).await), ["sooner"]);
    harness.advance(MILLISECOND).await;
    let task = claim_one(&store).await.unwrap();
    assert_eq!(task.submitted_at.as_millis(), harness.clock().now().as_millis());
    assert_eq!(task.payload, "later");
}

/// A replayed task counts as submitted at the replay, with no attempts.
pub async fn dead_tasks_are_replayed_or_discarded(harness: &dyn Harness) {
    let store = queue(harness).await;
    for n in 0..30 {
        submit(&store, NewTask::new(n.to_string())).await;
        let claim = claim_one(&store).await.unwrap().claim;
        let error = if n % 3 == 0 { "bad page" } else { "no answer" };
        assert!(store.fail(QUEUE, claim, error, AfterFailure::Bury).await.unwrap());
        harness.advance(MILLISECOND).await;
    }
    let dead = store.dead(QUEUE, 0, 5).await.unwrap();
    assert_eq!(
        dead.iter().map(|task| &task.payload[..]).collect::<Vec<_>>(),
        [b"0", b"1", b"2", b"3", b"4"]
    );
    let some = [dead[1].id, dead[3].id, dead[1].id, TaskId::from_number(1)];
    assert_eq!(store.discard(QUEUE, &some).await.unwrap(), 2);
    assert_eq!(counts(&store).await, [0, 0, 0, 28]);
    submit(&store, NewTask::new("before")).await;
    harness.advance(MILLISECOND).await;
    assert_eq!(store.replay(QUEUE, &[dead[0].id, dead[1].id]).await.unwrap(), 1);
    assert_eq!(store.replay_dead(QUEUE, Some("bad page")).await.unwrap(), 8);
    assert_eq!(counts(&store).await, [10, 0, 0, 19]);
    let tasks = claim(&store, max(3)).await;
    assert_eq!(payloads(&tasks), ["before", "0", "6"]);
    assert!(tasks.iter().all(|task| task.attempt == 1));
    assert_eq!(store.replay_dead(QUEUE, None).await.unwrap(), 19);
    assert_eq!(counts(&store).await, [26, 0, 3, 0]);
}

/// A purge removes waiting, claimed and dead tasks.
pub async fn a_purge_leaves_nothing(harness: &dyn Harness) {
    let store = queue(harness).await;
    for name in ["dead", "claimed", "waiting"] {
        submit(&store, NewTask::new(name).deduplication_key(name)).await;
    }
    submit(&store, NewTask::new("delayed").delay(MINUTE)).await;
    let tasks = claim(&store, max(2)).await;
    assert!(store.fail(QUEUE, tasks[0].claim, "x", AfterFailure::Bury).await.unwrap());
    assert_eq!(counts(&store).await, [1, 1, 1, 1]);
    assert_eq!(store.purge(QUEUE).await.unwrap(), 4);
    assert_eq!(counts(&store).await, [0; 4]);
    assert_eq!(store.complete(QUEUE, &[tasks[1].claim]).await.unwrap(), [false]);
    harness.advance(MINUTE * 2).await;
    assert!(claim_one(&store).await.is_none());
    submit(&store, NewTask::new("waiting").deduplication_key("waiting")).await;
    assert_eq!(payloads(&claim(&store, max(5)).await), ["waiting"]);
}

/// A paused queue still accepts and completes tasks.
pub async fn a_paused_queue_hands_out_nothing(harness: &dyn Harness) {
    let store = queue(harness).await;
    submit(&store, NewTask::new("a")).await;
    let claimed = claim_one(&store).await.unwrap().claim;
    store.set_paused(QUEUE, true).await.unwrap();
    assert!(store.counts(QUEUE).await.unwrap().is_paused);
    submit(&store, NewTask::new("b")).await;
    assert!(claim_one(&store).await.is_none());
    assert_eq!(store.complete(QUEUE, &[claimed]).await.unwrap(), [true]);
    store.set_paused(QUEUE, false).await.unwrap();
    assert_eq!(payloads(&claim(&store, max(5)).await), ["b"]);
}

/// Databases of other kinds reject queues; every database rejects invalid arguments.
pub async fn queues_belong_in_durable_databases(harness: &dyn Harness) {
    for database in [cache(harness).await, coordination(harness).await] {
        let submitted = database.queue().submit_one(QUEUE, NewTask::new("a")).await;
        expect_error(submitted, Contract, &database, QUEUE);
        expect_error(database.queue().counts(QUEUE).await, Contract, &database, QUEUE);
    }
    let database: Database = durable(harness).await;
    let store = database.queue();
    let long = "x".repeat(256);
    for name in ["", long.as_str()] {
        expect_error(store.counts(name).await, InvalidArgument, &database, name);
    }
    let task = NewTask::new("a");
    for task in [
        task.clone().group(long.as_str()),
        task.clone().deduplication_key(long),
        task.deduplication_key(""),
    ] {
        // The first task is valid: a request submits all its tasks or none.
        let submitted = store.submit(QUEUE, vec![NewTask::new("b"), task]).await;
        expect_error(submitted, InvalidArgument, &database, QUEUE);
    }
    for options in [max(0), max(1_001), ClaimOptions::new(1, Duration::ZERO)] {
        expect_error(store.claim(QUEUE, options).await, InvalidArgument, &database, QUEUE);
    }
    assert!(claim_one(store).await.is_none());
    assert!(store.complete(QUEUE, &[]).await.unwrap().is_empty());
}

/// Expired leases are detected by claims; a renewed lease has not expired.
pub async fn a_lease_that_has_ended_is_claimed_by_anybody(harness: &dyn Harness) {
    let store = queue(harness).await;
    for name in ["a", "b"] {
        submit(&store, NewTask::new(name)).await;
    }
    let tasks = claim(&store, max(2)).await;
    harness.advance(SECOND * 40).await;
    assert_eq!(store.renew(QUEUE, &claims(&tasks[1..]), MINUTE).await.unwrap(), [true]);
    harness.advance(SECOND * 20 - MILLISECOND).await;
    assert!(claim_one(&store).await.is_none());
    harness.advance(MILLISECOND).await;
    let again = claim(&store, max(5)).await;
    assert_eq!((payloads(&again), again[0].lost), (vec!["a".to_owned()], 1));
    assert!(again[0].claim.token > tasks[0].claim.token);
    harness.advance(SECOND * 40).await;
    assert_eq!(payloads(&claim(&store, max(5)).await), ["b"]);
}

/// Queues with one name in two databases are separate.
pub async fn queues_are_separate_between_databases(harness: &dyn Harness) {
    let store = queue(harness).await;
    let other = super::databases::durable_for_a_minute(harness).await;
    submit(&store, NewTask::new("a")).await;
    assert_eq!(other.queue().counts(QUEUE).await.unwrap(), QueueCounts::default());
    assert_eq!(store.counts("stage").await.unwrap(), QueueCounts::default());
    harness.advance(MINUTE * 2).await;
    assert_eq!(payloads(&claim(&store, max(1)).await), ["a"], "a queue has no TTL");
}

suite! { queue as queue_suite, needs Queues:
    a_task_is_claimed_by_one_worker
    a_failed_task_comes_back_after_its_pause
    a_buried_task_is_listed_with_its_error
    a_task_whose_leases_end_is_dead_in_the_end
    a_task_whose_lease_expired_is_claimed_alone
    only_the_last_claim_counts
    claims_that_are_handed_back_are_no_attempts
    tokens_of_claims_only_grow
    a_deduplication_key_is_taken_once
    a_delayed_task_waits_for_its_time
    dead_tasks_are_replayed_or_discarded
    a_purge_leaves_nothing
    a_paused_queue_hands_out_nothing
    queues_belong_in_durable_databases
    a_lease_that_has_ended_is_claimed_by_anybody
    queues_are_separate_between_databases
}
