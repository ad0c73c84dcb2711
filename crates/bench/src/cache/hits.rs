//! `hits`: the cost of a hit in both tiers, beside bare caches and clients.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cached::ConcurrentCachedAsync;
use cached::stores::AsyncRedisCache;
use compartment_cache::{Cache, CacheOptions, CachePolicy, Stored};
use compartment_core::backend::Backend;
use compartment_core::{
    Contract, Database, DatabaseKind, Instance, KeyTemplate, KeyValueStoreExt, TypedKey,
};
use compartment_memory::MemoryBackend;
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use futures_util::FutureExt;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde::Serialize;

use super::Measured;
use super::trace::{DOCUMENTS, zipf};
use crate::bench::client::Document;
use crate::measure::Failure;
use crate::measure::rounds::{Plan, Row, Slice, take_turns};
use crate::measure::slice::{Work, slice, unit};
use crate::measure::table::side_by_side;

const DOCUMENT: KeyTemplate<Document> = KeyTemplate::new("document", "document:{id}", "cache");
const TTL: Duration = Duration::from_secs(3_600);
/// Room for all documents.
const BYTES: u64 = 1 << 30;
/// Numbers of threads that read the first tier,
const THREADS: [usize; 2] = [1, 2];
/// and of tasks that read the second.
const TASKS: [usize; 3] = [1, 64, 1_024];
/// Documents in the second tier.
const STORED: usize = 10_000;
/// Long enough that no time-out occurs: on a busy machine the usual half second would.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
struct Hits {
    first_tier: Vec<Row>,
    second_tier: Vec<Row>,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let first_tier = first_tier(quick).await?;
    let second_tier = second_tier(quick).await?;
    let rows = |rows: &[Row], of: &dyn Fn(&Row) -> bool, contenders: &[&str]| {
        let rows: Vec<&Row> = rows.iter().filter(|row| of(row)).collect();
        side_by_side(contenders, &rows)
    };
    let text = format!(
        "First tier, {DOCUMENTS} documents by Zipf's law: ns a hit, × those of moka (less is better)\n\
         {}\n\n\
         Second tier, 1 KB JSON, 1 task: median µs, × that of redis-rs (less is better)\n{}\n\n\
         Second tier, 1 KB JSON: reads/s, × those of redis-rs (more is better)\n{}\n",
        rows(&first_tier, &|_| true, &FIRST),
        rows(&second_tier, &|row| row.tasks == 1, &SECOND),
        rows(&second_tier, &|row| row.tasks > 1, &SECOND),
    );
    Measured::new(text, &Hits { first_tier, second_tier })
}

fn missing() -> Failure {
    "a document that was set is missing".into()
}

const FIRST: [&str; 3] = ["compartment", "moka", "quick_cache"];

/// Measures each contender with equal documents.
async fn first_tier(quick: bool) -> Result<Vec<Row>, Failure> {
    let database = MemoryBackend::default().open(contract(0)).await?;
    let options = CacheOptions::default().first_tier_bytes(BYTES * 2);
    let ours = Cache::open(&database, options.policy(CachePolicy::default().ttl(TTL))).await?;
    let moka = moka::sync::Cache::builder().max_capacity(BYTES).time_to_live(TTL).build();
    let quick_cache = quick_cache::sync::Cache::new(DOCUMENTS * 2);
    let keys = keys(DOCUMENTS)?;
    for key in keys.iter() {
        stored(ours.set(key, Document::sample()).await?)?;
        // Invalidation messages must not pile up: a cache that misses some distrusts its first
        // tier.
        tokio::task::yield_now().await;
    }
    for key in keys.iter() {
        moka.insert(key.as_str().to_owned(), Arc::new(Document::sample()));
    }
    for key in keys.iter() {
        let document = (Arc::new(Document::sample()), Instant::now() + TTL);
        quick_cache.insert(key.as_str().to_owned(), document);
    }
    // Reads all documents once, in case our cache distrusts its first tier.
    for key in keys.iter() {
        ours.get(key).await?.ok_or_else(missing)?;
    }
    let trace: Arc<[u32]> = zipf(DOCUMENTS, 1.0, 1 << 20, 1).into();
    let quick_cache = Arc::new(quick_cache);
    let mut rows = Vec::new();
    for threads in THREADS {
        let reader = Reader { threads, trace: &trace, keys: &keys };
        let ours = |key: &TypedKey<Document>| ours.get(key).now_or_never()?.ok()?;
        let moka = |key: &TypedKey<Document>| moka.get(key.as_str());
        let quick_cache = |key: &TypedKey<Document>| {
            let (document, until) = quick_cache.get(key.as_str())?;
            (Instant::now() < until).then_some(document)
        };
        let slices: Vec<(&'static str, Slice<'_>)> = vec![
            (FIRST[0], reader.slices(&ours)),
            (FIRST[1], reader.slices(&moka)),
            (FIRST[2], reader.slices(&quick_cache)),
        ];
        let what = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        // Planned as for one task: nothing waits, and many short slices see more of the machine.
        rows.push(take_turns(what, threads, "ns", Plan::of(1, quick), 1, slices).await?);
    }
    Ok(rows)
}

/// Threads that read along the trace.
#[derive(Clone, Copy)]
struct Reader<'a> {
    threads: usize,
    trace: &'a [u32],
    keys: &'a [TypedKey<Document>],
}

/// Hits between two readings of the clock.
const BURST: usize = 256;

impl<'a> Reader<'a> {
    fn slices<G>(self, get: &'a G) -> Slice<'a>
    where
        G: Fn(&TypedKey<Document>) -> Option<Arc<Document>> + Sync,
    {
        Box::new(move |duration| std::future::ready(self.read(get, duration)).boxed())
    }

    /// Nanoseconds per hit.
    fn read<G>(self, get: &G, duration: Duration) -> Result<f64, Failure>
    where
        G: Fn(&TypedKey<Document>) -> Option<Arc<Document>> + Sync,
    {
        let barrier = Barrier::new(self.threads);
        let outcomes = std::thread::scope(|scope| {
            let read = |thread| {
                barrier.wait();
                self.read_on_one(get, duration, thread * self.trace.len() / self.threads)
            };
            let running: Vec<_> =
                (0..self.threads).map(|thread| scope.spawn(move || read(thread))).collect();
            running.into_iter().map(|thread| thread.join().ok().flatten()).collect::<Vec<_>>()
        });
        let (mut nanos, mut hits) = (0.0, 0);
        for outcome in outcomes {
            let (took, done) = outcome.ok_or_else(missing)?;
            nanos += took;
            hits += done;
        }
        Ok(nanos / hits as f64)
    }

    fn read_on_one<G>(self, get: &G, duration: Duration, from: usize) -> Option<(f64, usize)>
    where
        G: Fn(&TypedKey<Document>) -> Option<Arc<Document>>,
    {
        let mut reads = self.trace.iter().cycle().skip(from);
        let (start, mut done) = (Instant::now(), 0);
        loop {
            for document in reads.by_ref().take(BURST) {
                black_box(get(&self.keys[*document as usize])?);
            }
            done += BURST;
            let took = start.elapsed();
            if took >= duration {
                return Some((took.as_secs_f64() * 1e9, done));
            }
        }
    }
}

const SECOND: [&str; 4] = ["compartment", "redis-rs", "cached", "our store"];

async fn second_tier(quick: bool) -> Result<Vec<Row>, Failure> {
    let server = TestRedis::start().await;
    let url = server.url();
    let keys = keys(STORED)?;
    let ours = Ours::open(&url, &keys).await?;
    let bare = Bare::open(&url, &keys).await?;
    let cached = OtherCache::open(&url, &keys).await?;
    let store = Store::fill(ours.cache.database(), &keys).await?;
    let mut rows = Vec::new();
    for tasks in TASKS {
        let slices: Vec<(&'static str, Slice<'_>)> = vec![
            (SECOND[0], Box::new(|duration| slice(ours.clone(), tasks, duration).boxed())),
            (SECOND[1], Box::new(|duration| slice(bare.clone(), tasks, duration).boxed())),
            (SECOND[2], Box::new(|duration| slice(cached.clone(), tasks, duration).boxed())),
            (SECOND[3], Box::new(|duration| slice(store.clone(), tasks, duration).boxed())),
        ];
        let (what, plan) = (format!("{tasks} tasks"), Plan::of(tasks, quick));
        rows.push(take_turns(what, tasks, unit(tasks), plan, 1, slices).await?);
    }
    Ok(rows)
}

fn keys(count: usize) -> Result<Arc<[TypedKey<Document>]>, Failure> {
    let keys: Result<Vec<_>, _> =
        (0..count).map(|number| DOCUMENT.key(&[&format!("{number:08}")])).collect();
    Ok(keys?.into())
}

fn contract(index: u32) -> Contract {
    Contract::new("cache", DatabaseKind::Cache).with_index(index).default_ttl(TTL)
}

fn stored(stored: Stored) -> Result<(), Failure> {
    if stored == Stored::Stored { Ok(()) } else { Err(format!("not stored: {stored:?}").into()) }
}

/// Our cache with its first tier disabled.
#[derive(Clone)]
struct Ours {
    cache: Cache,
    keys: Arc<[TypedKey<Document>]>,
}

impl Ours {
    async fn open(url: &str, keys: &Arc<[TypedKey<Document>]>) -> Result<Self, Failure> {
        let mut config = RedisConfig::for_instance(&Instance::new(url)?, 1);
        config.response_timeout = PATIENCE;
        let database = RedisBackend::connect(config, &[1]).await?.open(contract(1)).await?;
        let policy = CachePolicy::default().ttl(TTL).first_tier(false);
        let options = CacheOptions::default().policy(policy).database_timeout(PATIENCE);
        let cache = Cache::open(&database, options).await?;
        for key in keys.iter() {
            stored(cache.set(key, Document::sample()).await?)?;
        }
        Ok(Self { cache, keys: Arc::clone(keys) })
    }
}

impl Work for Ours {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        black_box(self.cache.get(&self.keys[turn % STORED]).await?.ok_or_else(missing)?);
        Ok(())
    }
}

/// One connection of redis-rs that all tasks share, and JSON.
#[derive(Clone)]
struct Bare {
    connection: MultiplexedConnection,
    keys: Arc<[TypedKey<Document>]>,
}

impl Bare {
    async fn open(url: &str, keys: &Arc<[TypedKey<Document>]>) -> Result<Self, Failure> {
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(format!("{url}/2"))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let document = serde_json::to_vec(&Document::sample())?;
        for key in keys.iter() {
            connection.set::<_, _, ()>(key.as_str(), &document).await?;
        }
        Ok(Self { connection, keys: Arc::clone(keys) })
    }
}

impl Work for Bare {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let key = self.keys[turn % STORED].as_str();
        let bytes: Option<Vec<u8>> = self.connection.clone().get(key).await?;
        black_box(serde_json::from_slice::<Document>(&bytes.ok_or_else(missing)?)?);
        Ok(())
    }
}

/// The `cached` crate, used as documented.
#[derive(Clone)]
struct OtherCache {
    cache: AsyncRedisCache<String, Document>,
    keys: Arc<[String]>,
}

impl OtherCache {
    async fn open(url: &str, keys: &Arc<[TypedKey<Document>]>) -> Result<Self, Failure> {
        let builder = AsyncRedisCache::builder("cached");
        let cache = builder.connection_string(&format!("{url}/3")).ttl(TTL).build().await?;
        let keys: Arc<[String]> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        for key in keys.iter() {
            cache.async_cache_set(key.clone(), Document::sample()).await?;
        }
        Ok(Self { cache, keys })
    }
}

impl Work for OtherCache {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let document = self.cache.async_cache_get(&self.keys[turn % STORED]).await?;
        black_box(document.ok_or_else(missing)?);
        Ok(())
    }
}

/// Our store without the cache, to show the cost that the cache adds.
#[derive(Clone)]
struct Store {
    database: Database,
    keys: Arc<[String]>,
}

impl Store {
    /// Fills the database of the cache under other keys.
    async fn fill(database: &Database, keys: &[TypedKey<Document>]) -> Result<Self, Failure> {
        let document = serde_json::to_vec(&Document::sample())?;
        let keys: Arc<[String]> =
            keys.iter().map(|key| format!("plain:{}", key.as_str())).collect();
        for key in keys.iter() {
            database.key_value().put(key, document.clone()).await?;
        }
        Ok(Self { database: database.clone(), keys })
    }
}

impl Work for Store {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let key = &self.keys[turn % STORED];
        let document = self.database.key_value().get_as::<Document>(key).await?;
        black_box(document.ok_or_else(missing)?);
        Ok(())
    }
}
