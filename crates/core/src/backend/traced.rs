//! Spans of `tracing` around every store operation of a database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::Instrument;
use tracing::field::Empty;

use super::signatures::for_each_store;
use crate::{
    AfterFailure, BatchAudit, BatchClaim, BatchEvent, BatchEventStore, BatchPlan, BatchProgress,
    BatchStatus, BatchStore, BatchUpkeepStore, ChannelStore, Claim, ClaimOptions, ClaimRequest,
    ClaimedTask, CounterStore, Database, DeadTask, Expiry, FailureStream, FencingToken, HashStore,
    Holder, KeyStream, KeyValueStore, LockAttempt, LockStore, NewTask, OutboxEntry, QueueCounts,
    QueueStore, RateDecision, RateLimit, RateLimitStore, RestoredFact, Result, SetOptions, Settled,
    Settlement, Submitted, Subscription, TaskId, Ttl, Usage, UsageStore,
};

/// The target of the spans, for filters.
const TARGET: &str = "compartment::store";

/// The database with a span of the level INFO around every store operation. The target is `compartment::store`.
///
/// The spans have the names and fields of OpenTelemetry's conventions for database clients: `db.operation.name` with
/// the store and its method, `db.system.name` with the first word of the backend's `location`, `db.namespace` with the
/// placement, and `error.type` if the operation fails; and `compartment.database` with the database's name. No span has
/// keys or values, which may be personal data. [`crate::Databases`] opens databases in this way when the feature `trace`
/// is on.
///
/// A scan and a list of failures are streams without a span, and so is the release of a dropped lock.
#[must_use]
pub fn traced(database: Database, location: &str) -> Database {
    let contract = database.contract();
    let place = Arc::new(Place {
        database: contract.name.clone(),
        namespace: contract.placement.to_string(),
        system: location.split(' ').next().unwrap_or_default().to_lowercase(),
    });
    let stores = database.stores().clone();
    let stores = stores
        .clone()
        .into_builder()
        .key_value(Traced::of(stores.key_value(), &place))
        .hash(Traced::of(stores.hash(), &place))
        .counter(Traced::of(stores.counter(), &place))
        .lock(Traced::of(stores.lock(), &place))
        .rate_limit(Traced::of(stores.rate_limit(), &place))
        .queue(Traced::of(stores.queue(), &place))
        .batch(Traced::of(stores.batch(), &place))
        .batch_upkeep(Traced::of(stores.batch_upkeep(), &place))
        .batch_events(Traced::of(stores.batch_events(), &place))
        .channel(Traced::of(stores.channel(), &place))
        .usage(Traced::of(stores.usage(), &place))
        .build();
    database.with_stores(stores)
}

/// The place that the spans of a database name.
#[derive(Debug)]
struct Place {
    database: String,
    namespace: String,
    system: String,
}

/// A store whose operations are traced.
#[derive(Debug)]
struct Traced<S: ?Sized> {
    store: Arc<S>,
    place: Arc<Place>,
}

impl<S: ?Sized> Traced<S> {
    fn of(store: &Arc<S>, place: &Arc<Place>) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), place: Arc::clone(place) })
    }

    /// Awaits the operation in its span.
    async fn operation<T>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let span = tracing::info_span!(
            target: TARGET,
            "store",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            db.operation.name = name,
            db.namespace = self.place.namespace,
            db.system.name = self.place.system,
            compartment.database = self.place.database,
            error.type = Empty,
        );
        let answer = operation.instrument(span.clone()).await;
        if let Err(error) = &answer {
            span.record("error.type", tracing::field::debug(error.kind()));
            span.record("otel.status_code", "ERROR");
        }
        answer
    }
}

/// Implements a traced store from its signatures.
macro_rules! traced {
    ($trait:ident { $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for Traced<dyn $trait> {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer> {
                let name = concat!(stringify!($trait), ".", stringify!($method));
                self.operation(name, self.store.$method($($argument),*)).await
            })*

            besides!($trait);
        }
    };
}

/// The methods of a store that are not asynchronous.
macro_rules! besides {
    (KeyValueStore) => {
        fn scan(&self, pattern: &str) -> KeyStream {
            self.store.scan(pattern)
        }
    };
    (LockStore) => {
        fn release_in_background(&self, key: &str, token: FencingToken) {
            self.store.release_in_background(key, token);
        }
        fn note_timeout(&self) {
            self.store.note_timeout();
        }
    };
    (BatchStore) => {
        fn born_as(&self, token: FencingToken) -> Arc<dyn BatchStore> {
            Traced::of(&self.store.born_as(token), &self.place)
        }
        fn failures(&self, batch: &str) -> FailureStream {
            self.store.failures(batch)
        }
    };
    (BatchUpkeepStore) => {
        fn born_as(&self, token: FencingToken) -> Arc<dyn BatchUpkeepStore> {
            Traced::of(&self.store.born_as(token), &self.place)
        }
    };
    ($other:ident) => {};
}

for_each_store!(traced);

traced!(KeyValueStore {
    fn get(key: &str) -> Option<Bytes>;
    fn get_many(keys: &[String]) -> Vec<Option<Bytes>>;
    fn set(key: &str, value: Bytes, options: SetOptions) -> bool;
    fn set_many(entries: Vec<(String, Bytes)>, expiry: Expiry) -> ();
    fn delete(keys: &[String]) -> u64;
    fn exists(key: &str) -> bool;
    fn expire(key: &str, expiry: Expiry) -> bool;
    fn ttl(key: &str) -> Ttl;
    fn compare_and_set(
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        expiry: Expiry
    ) -> bool;
});
