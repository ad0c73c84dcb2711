//! Caches on databases in memory, and loaders that count.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test support: a failure here is a failed test"
)]

pub(crate) mod faults;
pub(crate) mod model;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy, LoadError};
use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, KeyTemplate, ManualClock, TypedKey};
use compartment_memory::{MemoryBackend, MemoryConfig};
use tokio::sync::Semaphore;

pub(crate) const TTL: Duration = Duration::from_secs(60);
pub(crate) const DOC: KeyTemplate<String> = KeyTemplate::new("doc", "doc:{id}", "cache");

pub(crate) fn key(id: &str) -> TypedKey<String> {
    DOC.key(&[id]).unwrap()
}

pub(crate) fn policy() -> CachePolicy {
    CachePolicy::default().ttl(TTL).jitter(0.0)
}

/// A database in memory, shared by several caches that stand for processes.
pub(crate) struct Fleet {
    pub(crate) database: Database,
    pub(crate) clock: ManualClock,
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::default();
        let backend = MemoryBackend::new(MemoryConfig::default().clock(Arc::new(clock.clone())));
        let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
        Self { database: backend.open(contract).await.unwrap(), clock }
    }

    pub(crate) fn options(&self) -> CacheOptions {
        CacheOptions::default().clock(Arc::new(self.clock.clone())).policy(policy())
    }

    pub(crate) async fn cache(&self, policy: CachePolicy) -> Cache {
        Cache::open(&self.database, self.options().policy(policy)).await.unwrap()
    }
}

/// Counts its calls. Each returns another value, and can be made to wait.
#[derive(Clone)]
pub(crate) struct Source {
    calls: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

impl Source {
    pub(crate) fn open() -> Self {
        Self { calls: Arc::default(), gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }

    /// A source whose calls wait for [`Source::let_go`].
    pub(crate) fn closed() -> Self {
        Self { calls: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    pub(crate) fn let_go(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Returns `value 1`, `value 2` and so on.
    pub(crate) async fn load(self) -> Result<String, std::io::Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.gate.acquire().await.unwrap().forget();
        Ok(format!("value {call}"))
    }

    pub(crate) async fn fail(self) -> Result<String, std::io::Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.gate.acquire().await.unwrap().forget();
        Err(std::io::Error::other(format!("failure {call}")))
    }
}

/// Reads through the cache and returns the result.
pub(crate) async fn read(cache: &Cache, id: &str, source: &Source) -> Result<String, LoadError> {
    let source = source.clone();
    let value = cache.get_or_load(&key(id), move || source.load()).await?;
    Ok((*value).clone())
}

/// Reads like [`read`], with a loader that fails.
pub(crate) async fn read_failing(
    cache: &Cache,
    id: &str,
    source: &Source,
) -> Result<String, LoadError> {
    let source = source.clone();
    let value = cache.get_or_load(&key(id), move || source.fail()).await?;
    Ok((*value).clone())
}

/// Lets tasks run until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    compartment_testkit::eventually(what, || async { condition() }).await;
}

/// Polls a future at most this many times, and drops it if it has not ended by then.
pub(crate) async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..times {
        let polled = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        if let Poll::Ready(output) = polled.await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
