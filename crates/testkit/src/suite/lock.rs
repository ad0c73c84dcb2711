//! The contract of [`compartment_core::LockStore`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compartment_core::ErrorKind::WrongType;
use compartment_core::{
    Clock, Database, Expiry, FENCE_RETENTION, FencingToken, LockAttempt, LockStore, Timestamp,
};

use super::databases::{MINUTE, all, coordination, durable, expect_error, names, one_of_each_type};
use crate::{Harness, eventually, give_up_after};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Acquires a lock that is free.
pub(super) async fn acquire(database: &Database, key: &str, lease: Duration) -> FencingToken {
    match database.lock().try_acquire(key, "me", lease).await.unwrap() {
        LockAttempt::Acquired(token) => token,
        LockAttempt::Held(holder) => panic!("{key:?} is held by {holder:?}"),
    }
}

async fn is_held(lock: &Arc<dyn LockStore>, key: &str) -> bool {
    let holder = lock.holder(key).await.unwrap();
    let attempt = lock.try_acquire(key, "other", MINUTE).await.unwrap();
    assert_eq!(holder.is_some(), matches!(attempt, LockAttempt::Held(_)));
    holder.is_some()
}

/// A lock has one holder at a time among any number of callers.
pub async fn a_lock_has_one_holder(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (inside, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks = (0..32)
        .map(|caller| {
            let lock = database.lock().clone();
            let (inside, last) = (Arc::clone(&inside), Arc::clone(&last));
            tokio::spawn(async move {
                let (owner, mut done) = (format!("caller {caller}"), 0);
                while done < 5 {
                    let attempt = lock.try_acquire("a", &owner, MINUTE).await.unwrap();
                    let LockAttempt::Acquired(token) = attempt else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    assert!(last.swap(token.number(), Ordering::SeqCst) < token.number());
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    assert!(lock.release("a", token).await.unwrap());
                    done += 1;
                }
            })
        })
        .collect();
    all(tasks).await;
    assert_eq!(database.lock().holder("a").await.unwrap(), None);
}

/// A caller gets the owner, the token and the time left of the lease.
pub async fn a_lock_tells_who_holds_it(harness: &dyn Harness) {
    let lock = coordination(harness).await.lock().clone();
    assert_eq!(lock.holder("a").await.unwrap(), None);
    let attempt = lock.try_acquire("a", "worker 7 ключ", MINUTE).await.unwrap();
    let LockAttempt::Acquired(token) = attempt else { panic!("{attempt:?}") };
    harness.advance(Duration::from_secs(20)).await;
    let holder = lock.holder("a").await.unwrap().expect("it is held");
    assert_eq!((holder.owner.as_str(), holder.token), ("worker 7 ключ", token));
    assert_eq!(holder.remaining, Duration::from_secs(40));
    assert_eq!(lock.try_acquire("a", "b", MINUTE).await.unwrap(), LockAttempt::Held(holder));
    assert_eq!(lock.holder("b").await.unwrap(), None);
}

/// Tokens grow across expiry, release and a flush of the database, and while the clock is set back.
pub async fn tokens_only_grow(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (lock, clock) = (database.lock(), harness.clock());
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let token = acquire(&database, "a", MINUTE).await;
        assert!(lock.release("a", token).await.unwrap());
        tokens.push(token);
    }
    tokens.push(acquire(&database, "a", MINUTE).await);
    harness.advance(MINUTE).await;
    tokens.push(acquire(&database, "a", MINUTE).await);
    // Has the effect of FLUSHDB. A token is at least the current time in microseconds.
    harness.advance(MILLISECOND).await;
    database.key_value().delete(&names(&["a"])).await.unwrap();
    let token = acquire(&database, "a", MINUTE).await;
    assert!(token.number() >= clock.now().as_micros());
    tokens.push(token);
    assert!(lock.release("a", token).await.unwrap());
    let back = FENCE_RETENTION - MILLISECOND;
    let now = clock.now().since(Timestamp::default());
    clock.set(Timestamp::default().after(now - back));
    let token = acquire(&database, "a", MINUTE).await;
    tokens.push(token);
    assert!(lock.release("a", token).await.unwrap());
    tokens.push(acquire(&database, "a", MINUTE).await);
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
}

/// A second attempt of the holder fails as held.
pub async fn a_lock_is_not_reentrant(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let token = acquire(&database, "a", MINUTE).await;
    let attempt = database.lock().try_acquire("a", "me", MINUTE).await.unwrap();
    assert!(matches!(attempt, LockAttempt::Held(holder) if holder.token == token));
}

/// A late holder cannot change its successor's lock.
pub async fn only_the_token_renews_and_releases(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let lock = database.lock();
    let late = acquire(&database, "a", MINUTE).await;
    harness.advance(MINUTE).await;
    let token = acquire(&database, "a", MINUTE).await;
    for other in [late, FencingToken::from_number(token.number() + 1), FencingToken::from_number(0)]
    {
        assert!(!lock.renew("a", other, MINUTE * 9).await.unwrap());
        assert!(!lock.release("a", other).await.unwrap());
    }
    let holder = lock.holder("a").await.unwrap().expect("it is held");
    assert_eq!((holder.token, holder.remaining), (token, MINUTE));
    assert!(lock.renew("a", token, MINUTE * 2).await.unwrap());
    assert_eq!(lock.holder("a").await.unwrap().unwrap().remaining, MINUTE * 2);
    assert!(lock.renew("a", token, MINUTE).await.unwrap(), "a shorter lease is one as well");
    assert_eq!(lock.holder("a").await.unwrap().unwrap().remaining, MINUTE);
    assert!(lock.release("a", token).await.unwrap());
    assert!(!lock.release("a", token).await.unwrap());
    assert!(!lock.renew("a", token, MINUTE).await.unwrap());
    assert!(!lock.release("none", token).await.unwrap());
    assert!(!lock.renew("none", token, MINUTE).await.unwrap());
}

/// An expired lease cannot be renewed, even if nobody has acquired the lock since.
pub async fn an_expired_lease_cannot_be_renewed(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let lock = database.lock();
    let token = acquire(&database, "a", MINUTE).await;
    harness.advance(MINUTE).await;
    assert!(!lock.renew("a", token, MINUTE).await.unwrap());
    assert!(!lock.release("a", token).await.unwrap());
    assert!(!is_held(lock, "a").await);
}

/// A lock cannot be taken on a value, counter, hash or window.
pub async fn a_lock_on_another_type_is_wrong_type(harness: &dyn Harness) {
    let database = durable(harness).await;
    one_of_each_type(&database).await;
    let (lock, token) = (database.lock(), FencingToken::from_number(1));
    for key in ["value", "counter", "hash", "window"] {
        expect_error(lock.try_acquire(key, "me", MINUTE).await, WrongType, &database, key);
    }
    for key in ["value", "counter", "window"] {
        expect_error(lock.renew(key, token, MINUTE).await, WrongType, &database, key);
        expect_error(lock.release(key, token).await, WrongType, &database, key);
        expect_error(lock.holder(key).await, WrongType, &database, key);
    }
    // A hash of another kind is not held.
    assert!(!lock.renew("hash", token, MINUTE).await.unwrap());
    assert!(!lock.release("hash", token).await.unwrap());
    assert_eq!(lock.holder("hash").await.unwrap(), None);
    assert_eq!(database.hash().len("hash").await.unwrap(), 1);
}

/// A lock is free to the millisecond; its key outlives the lease, to remember the token.
pub async fn a_lock_is_free_when_its_lease_has_passed(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let (lock, store) = (database.lock(), database.key_value());
    acquire(&database, "a", MINUTE).await;
    harness.advance(MINUTE - MILLISECOND).await;
    assert!(is_held(lock, "a").await);
    harness.advance(MILLISECOND).await;
    assert_eq!(lock.holder("a").await.unwrap(), None);
    assert!(store.exists("a").await.unwrap());
    assert!(!is_held(lock, "a").await);
    let token = acquire(&database, "b", MINUTE).await;
    assert!(lock.renew("b", token, MINUTE * 2).await.unwrap());
    harness.advance(MINUTE * 2 - MILLISECOND).await;
    assert!(lock.release("b", token).await.unwrap());
    assert!(store.exists("b").await.unwrap());
    harness.advance(FENCE_RETENTION).await;
    assert!(!store.exists("b").await.unwrap());
}

/// The lock is free whenever the future is dropped: others need not wait until the lease expires.
pub async fn a_dropped_attempt_leaves_no_lock(harness: &dyn Harness) {
    let database = coordination(harness).await;
    for round in 0..200_u64 {
        let key = format!("lock {round}");
        let attempt = database.lock().try_acquire(&key, "me", MINUTE);
        if let Some(attempt) = give_up_after(Duration::from_micros(round * 2), attempt).await {
            let LockAttempt::Acquired(token) = attempt.unwrap() else { panic!("it was free") };
            assert!(database.lock().release(&key, token).await.unwrap());
        }
    }
    eventually("no lock is held", || async {
        database.unfinished().done().await;
        for round in 0..200 {
            if database.lock().holder(&format!("lock {round}")).await.unwrap().is_some() {
                return false;
            }
        }
        true
    })
    .await;
    // An attempt that is executed late does not block the next one.
    acquire(&database, "lock 0", MINUTE).await;
}

/// The fields are owner, token, end of the lease, and the name of the attempt that acquired the lock, readable by
/// other programs.
pub async fn a_lock_is_a_hash_of_four_fields(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let token = acquire(&database, "a", MINUTE).await;
    let ends = harness.clock().now().after(MINUTE).as_millis();
    let fields = |ends: u64| {
        [("lease_ends_ms", ends.to_string()), ("owner", "me".into()), ("token", token.to_string())]
            .map(|(field, value)| (field.to_owned(), bytes::Bytes::from(value)))
    };
    let hash = database.hash();
    let shown = || async {
        let mut all = hash.get_all("a").await.unwrap();
        assert!(all.remove("attempt").is_some());
        all
    };
    assert!(shown().await.into_iter().eq(fields(ends)));
    assert!(database.lock().release("a", token).await.unwrap());
    assert!(shown().await.into_iter().eq(fields(0)));
}

/// Deleting the key frees the lock; a TTL on the key shortens it.
pub async fn a_lock_ends_with_its_key(harness: &dyn Harness) {
    let database = coordination(harness).await;
    let lock = database.lock();
    let token = acquire(&database, "a", MINUTE * 5).await;
    database.key_value().delete(&names(&["a"])).await.unwrap();
    assert!(!lock.renew("a", token, MINUTE).await.unwrap());
    assert!(!is_held(lock, "a").await);
    acquire(&database, "b", MINUTE * 5).await;
    assert!(database.key_value().expire("b", Expiry::After(MINUTE)).await.unwrap());
    harness.advance(MINUTE).await;
    assert!(!is_held(lock, "b").await);
}

suite! { lock as lock_suite, needs Nothing:
    a_lock_has_one_holder
    a_lock_tells_who_holds_it
    tokens_only_grow
    a_lock_is_not_reentrant
    only_the_token_renews_and_releases
    an_expired_lease_cannot_be_renewed
    a_lock_on_another_type_is_wrong_type
    a_lock_is_free_when_its_lease_has_passed
    a_dropped_attempt_leaves_no_lock
    a_lock_is_a_hash_of_four_fields
    a_lock_ends_with_its_key
}
