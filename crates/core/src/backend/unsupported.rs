//! A store that a backend does not have: every call returns an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use super::signatures::for_each_store;
use crate::{
    AfterFailure, BatchAudit, BatchClaim, BatchEvent, BatchEventStore, BatchPlan, BatchProgress,
    BatchStatus, BatchStore, BatchUpkeepStore, ChannelStore, Claim, ClaimOptions, ClaimRequest,
    ClaimedTask, CounterStore, DeadTask, Error, ErrorKind, Expiry, FailureStream, FencingToken,
    HashStore, Holder, LockAttempt, LockStore, NewTask, OutboxEntry, QueueCounts, QueueStore,
    RateDecision, RateLimit, RateLimitStore, RestoredFact, Result, Settled, Settlement, Submitted,
    Subscription, TaskId, Usage, UsageStore,
};

/// Any store that a backend does not have.
#[derive(Clone, Debug)]
pub(super) struct Unsupported {
    backend: String,
    store: &'static str,
}

impl Unsupported {
    pub(super) fn new(backend: &str, store: &'static str) -> Self {
        Self { backend: backend.to_owned(), store }
    }

    fn error(&self) -> Error {
        let what = format!(
            "the backend {} does not support {}: put the database on an instance of another backend",
            self.backend, self.store
        );
        Error::new(ErrorKind::Unsupported, "use a store", what)
    }
}

/// Implements a store from its signatures.
macro_rules! unsupported {
    ($trait:ident { $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for Unsupported {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer> {
                $(let _ = $argument;)*
                Err(self.error())
            })*

            besides!($trait);
        }
    };
}

/// The methods of a store that are not asynchronous.
macro_rules! besides {
    (LockStore) => {
        // No lock can be held here.
        fn release_in_background(&self, _key: &str, _token: FencingToken) {}
    };
    (BatchStore) => {
        fn born_as(&self, _token: FencingToken) -> Arc<dyn BatchStore> {
            Arc::new(self.clone())
        }
        fn failures(&self, _batch: &str) -> FailureStream {
            let error = self.error();
            stream::once(async { Err(error) }).boxed()
        }
    };
    (BatchUpkeepStore) => {
        fn born_as(&self, _token: FencingToken) -> Arc<dyn BatchUpkeepStore> {
            Arc::new(self.clone())
        }
    };
    ($other:ident) => {};
}

for_each_store!(unsupported);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_store_and_the_backend() {
        let store: Arc<dyn QueueStore> = Arc::new(Unsupported::new("etcd", "queues"));
        let answer = futures_util::FutureExt::now_or_never(store.counts("jobs"));
        let error = answer.expect("nothing is waited for").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("etcd does not support queues"), "{error}");
    }
}
