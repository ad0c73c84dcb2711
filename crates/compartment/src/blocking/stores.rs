//! The stores without async: each method waits for the one of the same name.

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
    /// Keys and values. See [`KeyValueStore`] for what is promised.
    KeyValue over KeyValueStore {
        /// The value of `key`.
        fn get(key: &str) -> Option<Bytes>;
        /// The values of `keys`, in their order.
        fn get_many(keys: &[String]) -> Vec<Option<Bytes>>;
        /// Sets `key`; whether the set took effect.
        fn set(key: &str, value: impl Into<Bytes> => value.into(), options: SetOptions) -> bool;
        /// Sets every entry.
        fn set_many(entries: Vec<(String, Bytes)>, expiry: Expiry) -> ();
        /// Deletes `keys` of any type; how many there were.
        fn delete(keys: &[String]) -> u64;
        /// Whether there is a key of any type.
        fn exists(key: &str) -> bool;
        /// Gives an existing key of any type another TTL; whether there was one.
        fn expire(key: &str, expiry: Expiry) -> bool;
        /// How long a key of any type still lives.
        fn ttl(key: &str) -> Ttl;
        /// Sets `key` to `replacement` if it now holds `expected`; whether it did.
        fn compare_and_set(
            key: &str, expected: Option<Bytes>, replacement: Option<Bytes>, expiry: Expiry
        ) -> bool;
        /// Every key that matches Redis's glob `pattern`, each once, sorted.
        fn keys(pattern: &str) -> Vec<String>;
    }
}

blocking_store! {
    /// Hashes. See [`HashStore`] for what is promised.
    Hash over HashStore {
        /// The value of one field.
        fn get_field(key: &str, field: &str) -> Option<Bytes>;
        /// The values of `fields`, in their order.
        fn get_fields(key: &str, fields: &[String]) -> Vec<Option<Bytes>>;
        /// Every field and its value.
        fn get_all(key: &str) -> BTreeMap<String, Bytes>;
        /// Sets fields; how many are new.
        fn set_fields(key: &str, fields: Vec<(String, Bytes)>, expiry: Expiry) -> u64;
        /// Sets a field if it is not there; whether it was set.
        fn set_field_if_absent(
            key: &str, field: &str, value: impl Into<Bytes> => value.into(), expiry: Expiry
        ) -> bool;
        /// Deletes fields; how many there were.
        fn delete_fields(key: &str, fields: &[String]) -> u64;
        /// Adds to a field that holds a whole number; the sum.
        fn increment_field(key: &str, field: &str, by: i64, expiry: Expiry) -> i64;
        /// How many fields there are.
        fn len(key: &str) -> u64;
    }
}

blocking_store! {
    /// Counters. See [`CounterStore`] for what is promised.
    Counter over CounterStore {
        /// Adds `by`; the sum.
        fn increment(key: &str, by: i64, expiry: Expiry) -> i64;
        /// Adds to many counters; the sums in order.
        fn increment_many(entries: Vec<(String, i64)>, expiry: Expiry) -> Vec<i64>;
        /// The number, if there is such a counter.
        fn count(key: &str) -> Option<i64>;
        /// The numbers of many counters in order.
        fn count_many(keys: &[String]) -> Vec<Option<i64>>;
        /// Reads and removes a counter in one step.
        fn take(key: &str) -> i64;
    }
}

blocking_store! {
    /// Locks as leases; renew them from the thread that holds one. See [`LockStore`].
    Lock over LockStore {
        /// Tries once to take the lock for `lease`, under the name `owner`.
        fn try_acquire(key: &str, owner: &str, lease: Duration) -> LockAttempt;
        /// Makes the lease last for `lease` from now; `false` if the lock is no longer the token's.
        fn renew(key: &str, token: FencingToken, lease: Duration) -> bool;
        /// Frees the lock; `false` if it was no longer the token's.
        fn release(key: &str, token: FencingToken) -> bool;
        /// Who holds it, if anybody.
        fn holder(key: &str) -> Option<Holder>;
    }
}

blocking_store! {
    /// Sliding-window limits. See [`RateLimitStore`] for what is promised.
    RateLimiter over RateLimitStore {
        /// Asks for `permits` at once; 0 asks only what is left.
        fn acquire(key: &str, limit: RateLimit, permits: u32) -> RateDecision;
    }
}

blocking_store! {
    /// Queues. See [`QueueStore`] for what is promised.
    Queue over QueueStore {
        /// Submits tasks; what became of each, in order.
        fn submit(queue: &str, tasks: Vec<NewTask>) -> Vec<Submitted>;
        /// Claims tasks: fewer than wanted, or none, when no more wait.
        fn claim(queue: &str, options: ClaimOptions) -> Vec<ClaimedTask>;
        /// Makes leases last for `lease` from now; for each claim whether it still counts.
        fn renew(queue: &str, claims: &[Claim], lease: Duration) -> Vec<bool>;
        /// The tasks are done; for each claim whether it still counted.
        fn complete(queue: &str, claims: &[Claim]) -> Vec<bool>;
        /// The attempt failed with `error`; whether the claim still counted.
        fn fail(queue: &str, claim: Claim, error: &str, then: AfterFailure) -> bool;
        /// Hands tasks back as if they had not been claimed.
        fn release(queue: &str, claims: &[Claim]) -> Vec<bool>;
        /// Up to `max` dead tasks after the first `skip`.
        fn dead(queue: &str, skip: u64, max: u32) -> Vec<DeadTask>;
        /// Lets dead tasks wait again; how many there were.
        fn replay(queue: &str, tasks: &[TaskId]) -> u64;
        /// Removes dead tasks; how many there were.
        fn discard(queue: &str, tasks: &[TaskId]) -> u64;
        /// Removes every task; how many there were.
        fn purge(queue: &str) -> u64;
        /// Stops handing out tasks, or goes on.
        fn set_paused(queue: &str, is_paused: bool) -> ();
        /// How many tasks are where.
        fn counts(queue: &str) -> QueueCounts;
    }
}

blocking_store! {
    /// Batches. See [`BatchStore`] for what is promised.
    Batch over BatchStore {
        /// Makes an open batch; `false` if there is one of that name.
        fn create(batch: &str, plan: &BatchPlan) -> bool;
        /// Adds documents; the first one's ordinal.
        fn submit(batch: &str, entries: Vec<Bytes>) -> u32;
        /// Adds documents, the first of which becomes number `first`; `false` if it cannot.
        fn submit_at(batch: &str, first: u32, entries: Vec<Bytes>) -> bool;
        /// Lets nothing be added any more; where the batch is afterwards.
        fn seal(batch: &str) -> BatchStatus;
        /// Takes documents that are ready for a stage.
        fn claim(batch: &str, request: ClaimRequest) -> Option<BatchClaim>;
        /// Makes a claim last for `lease` from now; `false` if it is no longer the token's.
        fn renew(batch: &str, token: FencingToken, lease: Duration) -> bool;
        /// Hands back all that a claim holds; `false` if it holds nothing any more.
        fn release(batch: &str, token: FencingToken) -> bool;
        /// Says how a stage left documents.
        fn settle(batch: &str, settlement: Settlement)
            -> Settled;
        /// Hands out nothing (`true`), or goes on.
        fn pause(batch: &str, paused: bool) -> ();
        /// Ends a batch as it is; where it is afterwards.
        fn cancel(batch: &str) -> BatchStatus;
        /// Tries dead documents again; how many were dead.
        fn retry(batch: &str, dead: Vec<(usize, u32)>) -> u64;
        /// Retries what is dead: all, of one stage, or with an error that begins so; how many.
        fn retry_failed(batch: &str, stage: Option<usize>, error: Option<&str>) -> u64;
        /// Takes the completion of a batch for `lease`.
        fn claim_completion(batch: &str, lease: Duration) -> Option<FencingToken>;
        /// Says that the completion is done with; `false` if it is no longer the token's.
        fn finish_completion(batch: &str, token: FencingToken) -> bool;
        /// How far it is.
        fn progress(batch: &str) -> Option<BatchProgress>;
        /// What the documents of a batch go through.
        fn plan(batch: &str) -> BatchPlan;
        /// Removes a batch and all there is of it; whether there was one.
        fn remove(batch: &str) -> bool;
    }
}

blocking_store! {
    /// The outbox and the documents of batches. See [`BatchUpkeepStore`] for its contract.
    BatchUpkeep over BatchUpkeepStore {
        /// What documents were submitted as.
        fn entries(batch: &str, from: u32, max: usize) -> Vec<Bytes>;
        /// The oldest entries of the outbox.
        fn outbox(batch: &str, max: usize) -> Vec<OutboxEntry>;
        /// Removes entries of the outbox; how many there were.
        fn clear_outbox(batch: &str, ids: &[String]) -> u64;
        /// How many entries the outbox holds.
        fn outbox_len(batch: &str) -> u64;
        /// Notes what was known about documents of a stage; how many were news.
        fn restore(batch: &str, stage: usize, facts: Vec<(u32, RestoredFact)>) -> u64;
        /// Compares what is counted with the bits.
        fn audit(batch: &str) -> BatchAudit;
        /// Sets right what an audit found; `false` if there was a repair since.
        fn repair(batch: &str, audit: &BatchAudit) -> bool;
        /// Removes a batch if it is over and nobody needs anything of it.
        fn remove_ended(batch: &str) -> bool;
    }
}

blocking_store! {
    /// Events of batches. See [`BatchEventStore`] for what is promised.
    BatchEvents over BatchEventStore {
        /// Events behind the one of the id `after`, or from the oldest on.
        fn events(batch: &str, after: Option<String>, max: usize) -> Vec<BatchEvent>;
        /// Makes a group of consumers; `false` if there is one of that name.
        fn join(batch: &str, group: &str) -> bool;
        /// Events that no consumer of the group was handed yet.
        fn next(batch: &str, group: &str, consumer: &str, max: usize) -> Vec<BatchEvent>;
        /// Says that events are done with; how many of them were the group's.
        fn acknowledge(batch: &str, group: &str, ids: &[String]) -> u64;
        /// Takes over events that were handed to a consumer at least `idle` ago.
        fn take_over(
            batch: &str, group: &str, consumer: &str, idle: Duration, max: usize
        ) -> Vec<BatchEvent>;
    }
}

impl Batch {
    /// This store for the one batch that was born with `token`: see [`BatchStore::born_as`].
    #[must_use]
    pub fn born_as(&self, token: FencingToken) -> Self {
        Self { store: self.store.born_as(token), waiter: self.waiter.clone() }
    }
}

impl BatchUpkeep {
    /// This store for the one batch that was born with `token`: see [`BatchStore::born_as`].
    #[must_use]
    pub fn born_as(&self, token: FencingToken) -> Self {
        Self { store: self.store.born_as(token), waiter: self.waiter.clone() }
    }
}
