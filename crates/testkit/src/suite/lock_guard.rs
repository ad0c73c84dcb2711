//! The contract of [`compartment_core::LockGuard`], tested on the backend's locks.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{
    Clock, Database, ErrorKind, KeyValueStoreExt, LockAttempt, LockGuard, LockOptions, LockStoreExt,
};

use super::databases::{MINUTE, all, coordination};
use super::lock::acquire;
use crate::{Harness, eventually};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);

fn options(harness: &dyn Harness) -> LockOptions {
    LockOptions::default().lease(LEASE).owner("guard").clock(Arc::new(harness.clock()))
}

async fn take(harness: &dyn Harness, database: &Database) -> LockGuard {
    let guard = database.lock().lock("a", options(harness)).await.unwrap();
    guard.expect("the lock is free")
}

async fn is_free(database: &Database) -> bool {
    database.lock().holder("a").await.unwrap().is_none()
}

/// A guard renews its lease every third of the lease while the guard lives.
pub async fn a_guard_renews_its_lease(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    for _ in 0..9 {
        harness.advance(LEASE / 3).await;
        eventually("the lease is renewed", || async {
            let holder = database.lock().holder("a").await.unwrap();
            holder.is_some_and(|holder| holder.remaining == LEASE && holder.token == guard.token())
        })
        .await;
        assert!(guard.is_held());
    }
    assert!(guard.release().await.unwrap());
    assert!(is_free(&database).await);
}

/// A guard reports the loss at the renewal that finds another holder.
pub async fn a_guard_tells_when_its_lock_was_taken(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    database.key_value().remove("a").await.unwrap();
    harness.advance(Duration::from_millis(1)).await;
    let token = acquire(&database, "a", MINUTE).await;
    assert!(guard.is_held(), "nothing is known yet");
    harness.advance(LEASE / 3).await;
    guard.lost().await;
    assert!(!guard.is_held());
    assert!(token > guard.token());
    drop(guard);
    let holder = database.lock().holder("a").await.unwrap().expect("its successor holds it");
    assert_eq!(holder.token, token);
}

/// A process that was stopped for longer than its lease has lost the lock, even if nobody acquired it.
pub async fn a_guard_is_lost_when_its_lease_has_passed(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    harness.advance(LEASE + SECOND).await;
    guard.lost().await;
    assert!(!guard.release().await.unwrap());
}

/// `run` stops the work when the lock is lost.
pub async fn run_ends_when_the_lock_is_lost(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    assert_eq!(guard.run(async { 7 }).await.unwrap(), 7);
    let (lost, ()) = tokio::join!(guard.run(std::future::pending::<()>()), async {
        harness.advance(LEASE + SECOND).await;
    });
    let error = lost.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Interrupted, Some("a")));
}

/// Dropping a guard frees the lock without waiting for the lease to expire.
pub async fn a_dropped_guard_frees_its_lock(harness: &dyn Harness) {
    let database = coordination(harness).await;
    drop(take(harness, &database).await);
    eventually("the lock is free", || is_free(&database)).await;
    assert!(take(harness, &database).await.is_held());
}

/// A release returns whether the guard still held the lock.
pub async fn release_says_whether_it_was_held(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    assert!(guard.release().await.unwrap());
    let guard = take(harness, &database).await;
    database.key_value().remove("a").await.unwrap();
    assert!(!guard.release().await.unwrap());
}

/// Advances time in small steps until `task` ends.
async fn advance_until_done<T: Send + 'static>(
    harness: &dyn Harness,
    task: tokio::task::JoinHandle<T>,
) -> T {
    while !task.is_finished() {
        harness.advance(Duration::from_millis(50)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    all(vec![task]).await.pop().expect("one task, one answer")
}

/// A waiter gets the lock soon after it is free, within its time limit.
pub async fn a_waiter_gets_the_lock_when_it_is_free(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let token = acquire(&database, "a", MINUTE * 10).await;
    let (lock, options) = (database.lock().clone(), options(harness).wait(MINUTE * 20));
    let waiter = tokio::spawn(async move { lock.lock("a", options).await.unwrap() });
    for _ in 0..10 {
        harness.advance(Duration::from_millis(50)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!waiter.is_finished());
    assert!(database.lock().release("a", token).await.unwrap());
    let guard = advance_until_done(harness, waiter).await.expect("the waiter got it");
    assert!(guard.token() > token);
    assert!(guard.is_held());
}

/// A waiter gives up after its time limit, and not much later.
pub async fn a_waiter_gives_up(harness: &dyn Harness) {
    let database = coordination(harness).await;
    acquire(&database, "a", MINUTE * 10).await;
    assert!(database.lock().lock("a", options(harness)).await.unwrap().is_none());
    let began = harness.clock().now();
    let (lock, options) = (database.lock().clone(), options(harness).wait(SECOND * 3));
    let waiter = tokio::spawn(async move { lock.lock("a", options).await.unwrap() });
    assert!(advance_until_done(harness, waiter).await.is_none());
    let waited = harness.clock().now().since(began);
    assert!(waited >= SECOND * 3, "it gave up after {waited:?}");
}

/// An error for callers that cannot continue without the lock.
pub async fn a_held_lock_can_be_an_error(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = database.lock().lock_or_fail("a", options(harness)).await.unwrap();
    let error = database.lock().lock_or_fail("a", options(harness)).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Held, Some("a")));
    assert!(error.to_string().contains("guard holds it"), "{error}");
    assert!(guard.release().await.unwrap());
}

/// Setting the wall clock back or forward neither extends a lease nor ends it.
pub async fn a_lease_ends_by_the_monotonic_clock(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let guard = take(harness, &database).await;
    let clock = harness.clock();
    let now = clock.now();
    clock.set(now.after(MINUTE * 60));
    tokio::task::yield_now().await;
    assert!(guard.is_held());
    let hour = u64::try_from((MINUTE * 60).as_micros()).unwrap();
    clock.set(compartment_core::Timestamp::from_micros(now.as_micros() - hour));
    harness.advance(LEASE).await;
    assert!(!guard.is_held(), "at once, whoever renews it");
    guard.lost().await;
}

/// Many waiters get the lock in turn.
pub async fn waiters_take_turns(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let first = take(harness, &database).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (lock, options) = (database.lock().clone(), options(harness).wait(MINUTE * 60));
            tokio::spawn(async move {
                let guard = lock.lock("a", options).await.unwrap().expect("in an hour");
                let token = guard.token();
                tokio::task::yield_now().await;
                assert!(guard.release().await.unwrap());
                token
            })
        })
        .collect();
    assert!(first.release().await.unwrap());
    let together = tokio::spawn(all(tasks));
    let mut tokens = advance_until_done(harness, together).await;
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 8);
    let attempt = database.lock().try_acquire("a", "me", LEASE).await.unwrap();
    assert!(matches!(attempt, LockAttempt::Acquired(_)));
}

suite! { lock_guard as lock_guard_suite, needs Nothing:
    a_guard_renews_its_lease
    a_guard_tells_when_its_lock_was_taken
    a_guard_is_lost_when_its_lease_has_passed
    run_ends_when_the_lock_is_lost
    a_dropped_guard_frees_its_lock
    release_says_whether_it_was_held
    a_waiter_gets_the_lock_when_it_is_free
    a_waiter_gives_up
    a_held_lock_can_be_an_error
    a_lease_ends_by_the_monotonic_clock
    waiters_take_turns
}
