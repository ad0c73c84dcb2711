//! Work left by an ended runtime is done when the databases are closed in another runtime.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_cache::{Cache, CacheOptions, Delivery};
use compartment_core::backend::{Backend, Capabilities};
use compartment_core::{
    Contract, Database, DatabaseKind, DatabaseMap, Databases, Instance, Result,
};
use compartment_memory::MemoryBackend;
use tokio::runtime::{Builder, Runtime};

use crate::harness::faults::Cut;
use crate::harness::{Source, key, policy, read, until};

/// Long enough that waiting for a lease is noticed.
const LEASE: Duration = Duration::from_secs(3_600);
/// Time limit of the close, and of work that must not wait for a lease.
const LIMIT: Duration = Duration::from_secs(20);

/// A backend with one database, opened before.
#[derive(Debug)]
struct Opened(Database);

#[async_trait]
impl Backend for Opened {
    async fn open(&self, _: Contract) -> Result<Database> {
        Ok(self.0.clone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    fn location(&self) -> String {
        "a test".to_owned()
    }
}

/// A process that uses its cache in one runtime, and closes in another.
struct World {
    databases: Databases,
    cut: Cut,
    cache: Option<Cache>,
    /// The cache of another process.
    other: Cache,
    used: Option<Runtime>,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl World {
    async fn new() -> Self {
        let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
        let all = MemoryBackend::default().open(contract.clone()).await.unwrap();
        let (database, cut) = Cut::of(&all);
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new("memory://").unwrap())
            .database(contract)
            .build()
            .unwrap();
        let backend: Arc<dyn Backend> = Arc::new(Opened(database.clone()));
        let backends = BTreeMap::from([("primary".to_owned(), backend)]);
        let databases = Databases::open(map, &backends).await.unwrap();
        // The breaker stays closed, so the database is used as soon as it is available again.
        let options =
            || CacheOptions::default().policy(policy().lease(LEASE)).breaker(1_000, LIMIT);
        let cache = Some(Cache::open(&database, options()).await.unwrap());
        let other = Cache::open(&all, options()).await.unwrap();
        Self { databases, cut, cache, other, used: Some(runtime()) }
    }

    fn cache(&self) -> Cache {
        self.cache.clone().unwrap()
    }

    /// Runs `work` in the first runtime.
    async fn uses<F: Future<Output = ()> + Send + 'static>(&mut self, work: F) {
        let runtime = self.used.take().unwrap();
        let used = tokio::task::spawn_blocking(move || {
            runtime.block_on(work);
            runtime
        });
        self.used = Some(used.await.unwrap());
    }

    async fn ends(&mut self) {
        let used = self.used.take();
        tokio::task::spawn_blocking(move || drop(used)).await.unwrap();
    }

    fn left(&self) -> usize {
        self.databases.get("cache").unwrap().unfinished().count()
    }

    /// A removal that cannot be delivered in its runtime.
    async fn removes_while_it_is_away(&mut self) {
        let (cache, cut) = (self.cache(), self.cut.clone());
        self.uses(async move {
            let _ = cache.set(&key("a"), "old".to_owned()).await.unwrap();
            cut.set(true);
            assert_eq!(cache.remove(&key("a")).await.unwrap(), Delivery::Pending);
        })
        .await;
    }

    async fn closes(&self) {
        self.cut.set(false);
        assert!(self.left() > 0, "there is something to do");
        self.databases.close(LIMIT).await.unwrap();
        assert_eq!(self.left(), 0);
        let store = self.databases.get("cache").unwrap().key_value();
        assert!(!store.exists("doc:a").await.unwrap());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // After a failed test the drop happens in its runtime, and must not block.
        self.used.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

#[tokio::test]
async fn a_removal_whose_runtime_has_ended_is_delivered_by_the_close() {
    let mut world = World::new().await;
    world.removes_while_it_is_away().await;
    world.ends().await;
    world.closes().await;
}

/// Only the cache knew of the removal, and all of its handles have been dropped.
#[tokio::test]
async fn a_removal_outlives_its_runtime_and_every_handle_of_its_cache() {
    let mut world = World::new().await;
    world.removes_while_it_is_away().await;
    world.cache = None;
    world.ends().await;
    world.closes().await;
}

#[tokio::test]
async fn a_removal_whose_runtime_stands_still_is_delivered_by_the_close() {
    let mut world = World::new().await;
    world.removes_while_it_is_away().await;
    world.closes().await;
    world.ends().await;
}

#[tokio::test]
async fn a_runtime_that_ends_while_the_databases_are_closed_hands_its_removal_over() {
    let mut world = World::new().await;
    world.removes_while_it_is_away().await;
    let databases = world.databases.clone();
    let closing = tokio::spawn(async move { databases.close(LIMIT).await });
    // The removal is picked up here, and given up again.
    let elsewhere = world.databases.clone();
    world.uses(async move { drop(elsewhere.close(Duration::from_millis(100)).await) }).await;
    world.ends().await;
    world.cut.set(false);
    closing.await.unwrap().unwrap();
    assert_eq!(world.left(), 0);
}

/// A removal dropped without a runtime waits for one.
#[tokio::test]
async fn a_removal_that_is_dropped_outside_of_a_runtime_is_delivered_by_the_close() {
    let world = World::new().await;
    let cache = world.cache();
    let _ = cache.set(&key("a"), "old".to_owned()).await.unwrap();
    world.cut.take_turns();
    let name = key("a");
    let mut removal = Box::pin(async move { cache.remove(&name).await.map(drop) });
    assert!(futures_util::FutureExt::now_or_never(&mut removal).is_none());
    tokio::task::spawn_blocking(|| std::thread::spawn(move || drop(removal)).join().unwrap())
        .await
        .unwrap();
    world.closes().await;
}

#[tokio::test]
async fn a_lease_whose_runtime_has_ended_is_given_back_by_the_close() {
    let mut world = World::new().await;
    let (cache, source) = (world.cache(), Source::closed());
    let loads = source.clone();
    world
        .uses(async move {
            tokio::spawn(async move { read(&cache, "a", &loads).await });
            until("it loads", || source.calls() == 1).await;
        })
        .await;
    world.ends().await;
    world.closes().await;
    let source = Source::open();
    let value = tokio::time::timeout(LIMIT, read(&world.other, "a", &source)).await;
    assert_eq!(value.unwrap().unwrap(), "value 1");
}
