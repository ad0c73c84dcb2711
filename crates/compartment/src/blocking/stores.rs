//! The stores without async: each method waits for the async method of its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    AfterFailure, BatchAudit, BatchClaim, BatchEvent, BatchEventStore, BatchPlan, BatchProgress,
    BatchStatus, BatchStore, BatchStoreExt, BatchUpkeepStore, Claim, ClaimOptions, ClaimRequest,
    ClaimedTask, CounterStore, DeadTask, Expiry, FencingToken, HashStore, Holder, KeyValueStore,
    KeyValueStoreExt, LockAttempt, LockStore, NewTask, OutboxEntry, QueueCounts, QueueStore,
    RateDecision, RateLimit, RateLimitStore, RestoredFact, Result, SetOptions, Settled, Settlement,
    Submitted, TaskId, Ttl,
};

use super::waiter::Waiter;

macro_rules! blocking_store {
    ($(#[$doc:meta])* $name:ident over $trait:ident {
        $($(#[$method_doc:meta])*
        fn $method:ident($($argument:ident: $type:ty $(=> $convert:expr)?),*) -> $output:ty;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            store: Arc<dyn $trait>,
            waiter: Waiter,
        }

        impl $name {
            pub(super) fn new(store: &Arc<dyn $trait>, waiter: &Waiter) -> Self {
                Self { store: Arc::clone(store), waiter: waiter.clone() }
            }

            $($(#[$method_doc])*
            ///
            /// # Errors
            #[doc = concat!("As the method of [`", stringify!($trait), "`] of this name.")]
            pub fn $method(&self, $($argument: $type),*) -> Result<$output> {
                $($(let $argument = $convert;)?)*
                self.waiter.wait(self.store.$method($($argument),*))
            })*
        }
    };
}

blocking_store! {
    /// Keys and values. See [`KeyValueStore`] for the contract.
    KeyValue over KeyValueStore {
        /// The value of `key`.
        fn get(key: &str) -> Option<Bytes>;
        /// The values of `keys`, in order.
        fn get_many(keys: &[String]) -> Vec<Option<Bytes>>;
        /// Sets `key`; returns whether the set took effect.
        fn set(key: &str, value: impl Into<Bytes> => value.into(), options: SetOptions) -> bool;
        /// Sets every entry.
        fn set_many(entries: Vec<(String, Bytes)>, expiry: Expiry) -> ();
        /// Deletes `keys` of any type; returns how many there were.
        fn delete(keys: &[String]) -> u64;
        /// Whether a key of any type exists.
        fn exists(key: &str) -> bool;
        /// Changes the TTL of a key of any type; `false` if the key does not exist.
        fn expire(key: &str, expiry: Expiry) -> bool;
        /// The remaining lifetime of a key of any type.
        fn ttl(key: &str) -> Ttl;
        /// Sets `key` to `replacement` if it holds `expected`; returns whether it did.
        fn compare_and_set(
            key: &str, expected: Option<Bytes>, replacement: Option<Bytes>, expiry: Expiry
        ) -> bool;
        /// Every key that matches Redis's glob `pattern`, once and sorted.
        fn keys(pattern: &str) -> Vec<String>;
    }
}

blocking_store! {
    /// Hashes. See [`HashStore`] for the contract.
    Hash over HashStore {
        /// The value of one field.
        fn get_field(key: &str, field: &str) -> Option<Bytes>;
        /// The values of `fields`, in order.
        fn get_fields(key: &str, fields: &[String]) -> Vec<Option<Bytes>>;
        /// Every field and its value.
        fn get_all(key: &str) -> BTreeMap<String, Bytes>;
        /// Sets fields; returns how many are new.
        fn set_fields(key: &str, fields: Vec<(String, Bytes)>, expiry: Expiry) -> u64;
        /// Sets a field if it does not exist; `false` if it does.
        fn set_field_if_absent(
            key: &str, field: &str, value: impl Into<Bytes> => value.into(), expiry: Expiry
        ) -> bool;
        /// Deletes fields; returns how many there were.
        fn delete_fields(key: &str, fields: &[String]) -> u64;
        /// Adds to a field that holds a whole number; returns the sum.
        fn increment_field(key: &str, field: &str, by: i64, expiry: Expiry) -> i64;
        /// The number of fields.
        fn len(key: &str) -> u64;
    }
}

blocking_store! {
    /// Counters. See [`CounterStore`] for the contract.
    Counter over CounterStore {
        /// Adds `by`; returns the sum.
        fn increment(key: &str, by: i64, expiry: Expiry) -> i64;
        /// Adds to many counters; returns the sums in order.
        fn increment_many(entries: Vec<(String, i64)>, expiry: Expiry) -> Vec<i64>;
        /// The counter's value, if it exists.
        fn count(key: &str) -> Option<i64>;
        /// The values of many counters, in order.
        fn count_many(keys: &[String]) -> Vec<Option<i64>>;
        /// Reads and removes a counter atomically.
        fn take(key: &str) -> i64;
    }
}

blocking_store! {
    /// Locks as leases; renew them from the thread that holds one. See [`LockStore`].
    Lock over LockStore {
        /// Tries once to acquire the lock for `lease`, with the name `owner`.
        fn try_acquire(key: &str, owner: &str, lease: Duration) -> LockAttempt;
        /// Extends the lease to `lease` from now; `false` if the token no longer holds the lock.
        fn renew(key: &str, token: FencingToken, lease: Duration) -> bool;
        /// Releases the lock; `false` if the token no longer held it.
        fn release(key: &str, token: FencingToken) -> bool;
        /// The holder, if there is one.
        fn holder(key: &str) -> Option<Holder>;
    }
}

blocking_store! {
    /// Sliding-window limits. See [`RateLimitStore`] for the contract.
    RateLimiter over RateLimitStore {
        /// Requests `permits`; 0 only reads how many are left.
        fn acquire(key: &str, limit: RateLimit, permits: u32) -> RateDecision;
    }
}

blocking_store! {
    /// Queues. See [`QueueStore`] for the contract.
    Queue over QueueStore {
        /// Submits tasks; returns the result for each, in order.
        fn submit(queue: &str, tasks: Vec<NewTask>) -> Vec<Submitted>;
        /// Claims tasks; returns fewer than requested, or none, if no more are waiting.
        fn claim(queue: &str, options: ClaimOptions) -> Vec<ClaimedTask>;
        /// Extends leases to `lease` from now; returns for each claim whether it still counts.
        fn renew(queue: &str, claims: &[Claim], lease: Duration) -> Vec<bool>;
        /// Completes tasks; returns for each claim whether it still counted.
        fn complete(queue: &str, claims: &[Claim]) -> Vec<bool>;
        /// Reports a failed attempt; returns whether the claim still counted.
        fn fail(queue: &str, claim: Claim, error: &str, then: AfterFailure) -> bool;
        /// Hands tasks back as if they had not been claimed.
        fn release(queue: &str, claims: &[Claim]) -> Vec<bool>;
        /// Up to `max` dead tasks after the first `skip`.
        fn dead(queue: &str, skip: u64, max: u32) -> Vec<DeadTask>;
        /// Makes dead tasks ready again; returns how many were replayed.
        fn replay(queue: &str, tasks: &[TaskId]) -> u64;
        /// Removes dead tasks; returns how many there were.
        fn discard(queue: &str, tasks: &[TaskId]) -> u64;
        /// Removes every task; returns how many there were.
        fn purge(queue: &str) -> u64;
        /// Pauses the queue so that claims return nothing, or resumes it.
        fn set_paused(queue: &str, is_paused: bool) -> ();
        /// The numbers of tasks by state.
        fn counts(queue: &str) -> QueueCounts;
    }
}

blocking_store! {
    /// Batches. See [`BatchStore`] for the contract.
    Batch over BatchStore {
        /// Creates an open batch; `false` if the name exists.
        fn create(batch: &str, plan: &BatchPlan) -> bool;
        /// Adds documents; returns the ordinal of the first.
        fn submit(batch: &str, entries: Vec<Bytes>) -> u32;
        /// Adds documents, the first with the ordinal `first`; `false` if the batch does not have exactly `first`
        /// documents.
        fn submit_at(batch: &str, first: u32, entries: Vec<Bytes>) -> bool;
        /// Seals the batch: no more documents can be added. Returns the batch's status.
        fn seal(batch: &str) -> BatchStatus;
        /// Claims documents that are ready for a stage.
        fn claim(batch: &str, request: ClaimRequest) -> Option<BatchClaim>;
        /// Extends a claim to `lease` from now; `false` if the token no longer holds it.
        fn renew(batch: &str, token: FencingToken, lease: Duration) -> bool;
        /// Hands back everything that a claim holds; `false` if it holds nothing any more.
        fn release(batch: &str, token: FencingToken) -> bool;
        /// Reports the outcomes of documents.
        fn settle(batch: &str, settlement: Settlement)
            -> Settled;
        /// Pauses the batch (`true`) so that claims return nothing, or resumes it.
        fn pause(batch: &str, paused: bool) -> ();
        /// Cancels a batch; returns its status.
        fn cancel(batch: &str) -> BatchStatus;
        /// Retries dead documents; returns how many were dead.
        fn retry(batch: &str, dead: Vec<(usize, u32)>) -> u64;
        /// Retries dead documents: all, those of one stage, or those whose error begins with `error`; returns how
        /// many.
        fn retry_failed(batch: &str, stage: Option<usize>, error: Option<&str>) -> u64;
        /// Claims the completion of a batch for `lease`.
        fn claim_completion(batch: &str, lease: Duration) -> Option<FencingToken>;
        /// Finishes the completion; `false` if the token no longer holds it.
        fn finish_completion(batch: &str, token: FencingToken) -> bool;
        /// The progress of a batch.
        fn progress(batch: &str) -> Option<BatchProgress>;
        /// The plan of a batch.
        fn plan(batch: &str) -> BatchPlan;
        /// Removes a batch with all its data; `false` if it does not exist.
        fn remove(batch: &str) -> bool;
    }
}

blocking_store! {
    /// The outbox and the documents of batches. See [`BatchUpkeepStore`] for its contract.
    BatchUpkeep over BatchUpkeepStore {
        /// The submitted entries of documents.
        fn entries(batch: &str, from: u32, max: usize) -> Vec<Bytes>;
        /// The oldest entries of the outbox.
        fn outbox(batch: &str, max: usize) -> Vec<OutboxEntry>;
        /// Removes entries of the outbox; returns how many there were.
        fn clear_outbox(batch: &str, ids: &[String]) -> u64;
        /// The number of entries in the outbox.
        fn outbox_len(batch: &str) -> u64;
        /// Restores known outcomes of documents in a stage; returns how many were new.
        fn restore(batch: &str, stage: usize, facts: Vec<(u32, RestoredFact)>) -> u64;
        /// Compares the counts with the bits.
        fn audit(batch: &str) -> BatchAudit;
        /// Repairs the findings of an audit; `false` if the batch was repaired since.
        fn repair(batch: &str, audit: &BatchAudit) -> bool;
        /// Removes a batch that has ended and is not needed any more; otherwise returns `false`.
        fn remove_ended(batch: &str) -> bool;
    }
}

blocking_store! {
    /// Events of batches. See [`BatchEventStore`] for the contract.
    BatchEvents over BatchEventStore {
        /// Events after the one with the id `after`, or from the oldest on.
        fn events(batch: &str, after: Option<String>, max: usize) -> Vec<BatchEvent>;
        /// Creates a group of consumers; `false` if the name exists.
        fn join(batch: &str, group: &str) -> bool;
        /// Events that no consumer of the group has received yet.
        fn next(batch: &str, group: &str, consumer: &str, max: usize) -> Vec<BatchEvent>;
        /// Acknowledges events; returns how many of them the group had pending.
        fn acknowledge(batch: &str, group: &str, ids: &[String]) -> u64;
        /// Takes over events that were delivered to a consumer at least `idle` ago.
        fn take_over(
            batch: &str, group: &str, consumer: &str, idle: Duration, max: usize
        ) -> Vec<BatchEvent>;
    }
}

impl Batch {
    /// This store restricted to the batch born with `token`: see [`BatchStore::born_as`].
    #[must_use]
    pub fn born_as(&self, token: FencingToken) -> Self {
        Self { store: self.store.born_as(token), waiter: self.waiter.clone() }
    }
}

impl BatchUpkeep {
    /// This store restricted to the batch born with `token`: see [`BatchStore::born_as`].
    #[must_use]
    pub fn born_as(&self, token: FencingToken) -> Self {
        Self { store: self.store.born_as(token), waiter: self.waiter.clone() }
    }
}
