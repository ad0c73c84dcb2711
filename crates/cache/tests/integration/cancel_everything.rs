//! Ten thousand operations, dropped at random moments: no old value is served, no load waits for a lease.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failure here is a failed test; the seed repeats it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, Delivery, Loaded};
use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Instance, KeyTemplate, TypedKey};
use compartment_memory::MemoryBackend;
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{TestRedis, eventually, run_test};
use tokio::task::JoinSet;

use crate::harness::faults::Cut;
use crate::harness::model::Random;
use crate::harness::policy;

const OPERATIONS: usize = 10_000;
/// Operations between two checks.
const ROUND: usize = 500;
const KEYS: usize = 16;
const DOCUMENTS: usize = 4;
/// Long enough that waiting for a lease is noticed.
const LEASE: Duration = Duration::from_secs(60);
/// Time limit of a read on a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// The version of values written by `set`.
const SET: u64 = u64::MAX;

const VERSION: KeyTemplate<u64> = KeyTemplate::new("version", "version:{id}", "cache");

fn key(id: usize) -> TypedKey<u64> {
    VERSION.key(&[&id.to_string()]).unwrap()
}

/// Two processes with one database, and the source they cache.
struct World {
    databases: Vec<Database>,
    caches: Vec<Cache>,
    source: Arc<Vec<AtomicU64>>,
    /// For each key, the version at its last acknowledged removal.
    floors: Arc<Vec<AtomicU64>>,
}

impl World {
    async fn new(databases: Vec<Database>) -> Self {
        let mut caches = Vec::new();
        for database in &databases {
            let options = CacheOptions::default()
                .policy(policy().lease(LEASE).eager_refresh(0.9))
                .database_timeout(SLACK);
            caches.push(Cache::open(database, options).await.unwrap());
        }
        let zeros = || Arc::new((0..KEYS).map(|_| AtomicU64::new(0)).collect());
        Self { databases, caches, source: zeros(), floors: zeros() }
    }

    fn load(
        &self,
        id: usize,
    ) -> impl Future<Output = Result<u64, std::io::Error>> + Send + 'static {
        let source = Arc::clone(&self.source);
        async move {
            let version = source[id].load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(version)
        }
    }

    /// Changes every key of a document.
    fn change(&self, ids: &[usize]) -> Vec<(usize, u64)> {
        ids.iter().map(|id| (*id, self.source[*id].fetch_add(1, Ordering::SeqCst) + 1)).collect()
    }

    /// One operation; it runs to its end unless it is dropped.
    fn operation(
        &self,
        number: usize,
        random: &mut Random,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let id = random.below(KEYS);
        let document = id % DOCUMENTS;
        let cache = self.caches[number % 2].of_document(&document.to_string());
        let floors = Arc::clone(&self.floors);
        let acknowledged = move |changes: Vec<(usize, u64)>| {
            for (id, version) in changes {
                floors[id].fetch_max(version, Ordering::SeqCst);
            }
        };
        let all = |document| (0..KEYS).filter(|id| id % DOCUMENTS == document).collect::<Vec<_>>();
        let load = self.load(id);
        match random.below(12) {
            0..4 => Box::pin(async move { drop(cache.get_or_load(&key(id), || load).await) }),
            4 => Box::pin(async move { drop(cache.get(&key(id)).await) }),
            5 => Box::pin(async move {
                let load = move |_| async move { load.await.map(Loaded::Value) };
                drop(cache.refresh(&key(id), load).await);
            }),
            6 => {
                let source = Arc::clone(&self.source);
                let load = move |keys: Vec<TypedKey<u64>>| {
                    let version = |key: &TypedKey<u64>| {
                        let id: usize = key.as_str()["version:".len()..].parse().unwrap();
                        Some(source[id].load(Ordering::SeqCst))
                    };
                    let versions = keys.iter().map(version).collect();
                    async move { Ok::<_, std::io::Error>(versions) }
                };
                let keys: Vec<_> = all(document).into_iter().map(key).collect();
                Box::pin(async move { drop(cache.get_or_load_many(&keys, load).await) })
            }
            7 => {
                let changes = self.change(&[id]);
                Box::pin(async move {
                    if cache.remove(&key(id)).await.unwrap() == Delivery::Delivered {
                        acknowledged(changes);
                    }
                })
            }
            8 => {
                let ids = all(document);
                let (changes, keys) =
                    (self.change(&ids), ids.into_iter().map(key).collect::<Vec<_>>());
                Box::pin(async move {
                    if cache.remove_many(&keys).await.unwrap() == Delivery::Delivered {
                        acknowledged(changes);
                    }
                })
            }
            9 => {
                let changes = self.change(&all(document));
                Box::pin(async move {
                    if cache.invalidate_document(&document.to_string()).await == Delivery::Delivered
                    {
                        acknowledged(changes);
                    }
                })
            }
            10 => Box::pin(async move {
                // A `set` concurrent with a removal may write an old value, which is not a fault of the cache. This
                // version marks such values, and is never old.
                drop(cache.set(&key(id), SET).await);
            }),
            _ => {
                let changes = self.change(&(0..KEYS).collect::<Vec<_>>());
                Box::pin(async move {
                    if cache.remove_matching("version:*", 1_000).await.is_ok_and(|count| count > 0)
                    {
                        // Keys that were not in the cache may have been loaded since, so nothing is promised.
                        drop(changes);
                    }
                })
            }
        }
    }

    /// Checks that no background work is left, no old value is served, and no key is leased.
    async fn check(&self) {
        eventually("nothing is left to do", || async {
            self.databases.iter().all(|database| database.unfinished().count() == 0)
        })
        .await;
        for (process, cache) in self.caches.iter().enumerate() {
            for id in 0..KEYS {
                let (floor, key) = (self.floors[id].load(Ordering::SeqCst), key(id));
                eventually("news arrives", || async {
                    let value = cache.get(&key).await.unwrap();
                    value.is_none_or(|version| *version >= floor)
                })
                .await;
                let load = self.load(id);
                let document = cache.of_document(&(id % DOCUMENTS).to_string());
                let read = tokio::time::timeout(SLACK, document.get_or_load(&key, || load)).await;
                assert!(read.is_ok(), "process {process} waits for a lease of key {id}");
                let found = read.unwrap().unwrap();
                assert!(*found >= floor, "process {process}, key {id}: older than {floor}");
            }
        }
        // The loads started here have ended too.
        eventually("nothing is left to do", || async {
            self.databases.iter().all(|database| database.unfinished().count() == 0)
        })
        .await;
    }

    async fn run(&self, seed: u64, micros: usize) {
        println!("COMPARTMENT_SEED={seed} repeats this");
        let mut random = Random::of(seed);
        let mut under_way = JoinSet::new();
        for number in 0..OPERATIONS {
            let operation = self.operation(number, &mut random);
            let (polls, patience) = (random.below(12), random.below(micros));
            under_way.spawn(async move {
                let gives_up = async {
                    for _ in 0..polls {
                        tokio::task::yield_now().await;
                    }
                    if polls % 2 == 0 {
                        tokio::time::sleep(Duration::from_micros(patience as u64)).await;
                    }
                };
                tokio::select! {
                    () = operation => {}
                    () = gives_up => {}
                }
            });
            if under_way.len() >= 16 {
                under_way.join_next().await.unwrap().unwrap();
            }
            if (number + 1) % ROUND == 0 {
                while let Some(ended) = under_way.join_next().await {
                    ended.unwrap();
                }
                self.check().await;
            }
        }
    }
}

fn seed() -> u64 {
    std::env::var("COMPARTMENT_SEED").map_or(11, |seed| seed.parse().unwrap())
}

fn contract() -> Contract {
    Contract::new("cache", DatabaseKind::Cache).with_index(2)
}

#[test]
fn everything_may_be_given_up_in_memory() {
    run_test(async {
        let database = MemoryBackend::default().open(contract()).await.unwrap();
        let (one, first) = Cut::of(&database);
        let (other, second) = Cut::of(&database);
        first.take_turns();
        second.take_turns();
        World::new(vec![one, other]).await.run(seed(), 1_500).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn everything_may_be_given_up_on_redis() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut databases = Vec::new();
        for _ in 0..2 {
            let config = RedisConfig::for_instance(&Instance::new(&server.url()).unwrap(), 1);
            let backend = RedisBackend::connect(config, &[2]).await.unwrap();
            databases.push(backend.open(contract()).await.unwrap());
        }
        World::new(databases).await.run(seed(), 3_000).await;
    });
}
