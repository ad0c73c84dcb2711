//! The signatures of the stores' methods, declared once for the types that implement every store.

/// Calls `$implement!` with each store that a backend may lack and the signatures of its asynchronous methods.
///
/// Whoever calls it imports the types that are named here.
macro_rules! for_each_store {
    ($implement:ident) => {
        $implement!(HashStore {
            fn get_field(key: &str, field: &str) -> Option<Bytes>;
            fn get_fields(key: &str, fields: &[String]) -> Vec<Option<Bytes>>;
            fn get_all(key: &str) -> BTreeMap<String, Bytes>;
            fn set_fields(key: &str, fields: Vec<(String, Bytes)>, expiry: Expiry) -> u64;
            fn set_field_if_absent(key: &str, field: &str, value: Bytes, expiry: Expiry) -> bool;
            fn delete_fields(key: &str, fields: &[String]) -> u64;
            fn increment_field(key: &str, field: &str, by: i64, expiry: Expiry) -> i64;
            fn len(key: &str) -> u64;
        });
        $implement!(CounterStore {
            fn increment(key: &str, by: i64, expiry: Expiry) -> i64;
            fn increment_many(entries: Vec<(String, i64)>, expiry: Expiry) -> Vec<i64>;
            fn count(key: &str) -> Option<i64>;
            fn count_many(keys: &[String]) -> Vec<Option<i64>>;
            fn take(key: &str) -> i64;
        });
        $implement!(LockStore {
            fn try_acquire(key: &str, owner: &str, lease: Duration) -> LockAttempt;
            fn renew(key: &str, token: FencingToken, lease: Duration) -> bool;
            fn release(key: &str, token: FencingToken) -> bool;
            fn holder(key: &str) -> Option<Holder>;
        });
        $implement!(RateLimitStore {
            fn acquire(key: &str, limit: RateLimit, permits: u32) -> RateDecision;
        });
        $implement!(QueueStore {
            fn submit(queue: &str, tasks: Vec<NewTask>) -> Vec<Submitted>;
            fn claim(queue: &str, options: ClaimOptions) -> Vec<ClaimedTask>;
            fn renew(queue: &str, claims: &[Claim], lease: Duration) -> Vec<bool>;
            fn complete(queue: &str, claims: &[Claim]) -> Vec<bool>;
            fn fail(queue: &str, claim: Claim, error: &str, then: AfterFailure) -> bool;
            fn release(queue: &str, claims: &[Claim]) -> Vec<bool>;
            fn dead(queue: &str, skip: u64, max: u32) -> Vec<DeadTask>;
            fn replay(queue: &str, tasks: &[TaskId]) -> u64;
            fn discard(queue: &str, tasks: &[TaskId]) -> u64;
            fn purge(queue: &str) -> u64;
            fn set_paused(queue: &str, is_paused: bool) -> ();
            fn counts(queue: &str) -> QueueCounts;
        });
        $implement!(BatchStore {
            fn create(batch: &str, plan: &BatchPlan) -> bool;
            fn submit(batch: &str, entries: Vec<Bytes>) -> u32;
            fn submit_at(batch: &str, first: u32, entries: Vec<Bytes>) -> bool;
            fn seal(batch: &str) -> BatchStatus;
            fn claim(batch: &str, request: ClaimRequest) -> Option<BatchClaim>;
            fn renew(batch: &str, token: FencingToken, lease: Duration) -> bool;
            fn release(batch: &str, token: FencingToken) -> bool;
            fn settle(batch: &str, settlement: Settlement) -> Settled;
            fn pause(batch: &str, paused: bool) -> ();
            fn cancel(batch: &str) -> BatchStatus;
            fn retry(batch: &str, dead: Vec<(usize, u32)>) -> u64;
            fn claim_completion(batch: &str, lease: Duration) -> Option<FencingToken>;
            fn finish_completion(batch: &str, token: FencingToken) -> bool;
            fn progress(batch: &str) -> Option<BatchProgress>;
            fn plan(batch: &str) -> BatchPlan;
            fn remove(batch: &str) -> bool;
        });
        $implement!(BatchUpkeepStore {
            fn entries(batch: &str, from: u32, max: usize) -> Vec<Bytes>;
            fn outbox(batch: &str, max: usize) -> Vec<OutboxEntry>;
            fn clear_outbox(batch: &str, ids: &[String]) -> u64;
            fn outbox_len(batch: &str) -> u64;
            fn restore(batch: &str, stage: usize, facts: Vec<(u32, RestoredFact)>) -> u64;
            fn audit(batch: &str) -> BatchAudit;
            fn repair(batch: &str, audit: &BatchAudit) -> bool;
            fn remove_ended(batch: &str) -> bool;
        });
        $implement!(BatchEventStore {
            fn events(batch: &str, after: Option<String>, max: usize) -> Vec<BatchEvent>;
            fn join(batch: &str, group: &str) -> bool;
            fn next(batch: &str, group: &str, consumer: &str, max: usize) -> Vec<BatchEvent>;
            fn acknowledge(batch: &str, group: &str, ids: &[String]) -> u64;
            fn take_over(
                batch: &str,
                group: &str,
                consumer: &str,
                idle: Duration,
                max: usize
            ) -> Vec<BatchEvent>;
        });
        $implement!(ChannelStore {
            fn publish(channel: &str, message: Bytes) -> ();
            fn subscribe(channel: &str) -> Subscription;
        });
        $implement!(UsageStore {
            fn usage() -> Usage;
        });
    };
}

pub(super) use for_each_store;
