//! The contenders: our two backends, moka, and four Redis clients, used as documented.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::bb8;
use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Expiry, Instance, KeyValueStoreExt};
use compartment_memory::MemoryBackend;
use compartment_redis::{RedisBackend, RedisConfig};
use fred::prelude::{ClientLike, HashesInterface, KeysInterface};
use redis::AsyncCommands;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use super::client::{Client, Document, MANY, VALUE};
use crate::measure::Failure;

/// Connections of a pool, unless a contender has its own default.
const POOL: u32 = 16;
/// Long enough that no time-out occurs: on a busy machine the usual half second would.
const PATIENCE: Duration = Duration::from_secs(10);

fn expect_all(found: usize) -> Result<(), Failure> {
    if found == MANY { Ok(()) } else { Err(format!("{found} of {MANY} keys were found").into()) }
}

fn missing() -> Failure {
    "a key that was set is missing".into()
}

/// A database of ours, on Redis or in memory.
#[derive(Clone, Debug)]
pub(super) struct Ours<const IN_PROCESS: bool>(Database);

impl Ours<false> {
    pub(super) async fn redis(url: &str) -> Result<Self, Failure> {
        let mut config = RedisConfig::for_instance(&Instance::new(url)?, 1);
        config.response_timeout = PATIENCE;
        let backend = RedisBackend::connect(config, &[0]).await?;
        Ok(Self(backend.open(Contract::new("bench", DatabaseKind::Durable)).await?))
    }
}

/// Capacity and TTL of both caches in memory.
const BUDGET: u64 = 1 << 30;
const TTL: Duration = Duration::from_secs(3_600);

impl Ours<true> {
    pub(super) async fn memory() -> Result<Self, Failure> {
        let contract =
            Contract::new("bench", DatabaseKind::Cache).default_ttl(TTL).memory_budget(BUDGET);
        Ok(Self(MemoryBackend::default().open(contract).await?))
    }
}

impl<const IN_PROCESS: bool> Ours<IN_PROCESS> {
    /// Stores the value at each of the keys.
    pub(super) async fn fill(&self, keys: &[String], value: &[u8]) -> Result<(), Failure> {
        let value = Bytes::copy_from_slice(value);
        let entries = keys.iter().map(|key| (key.clone(), value.clone())).collect();
        Ok(self.0.key_value().set_many(entries, Expiry::DatabaseDefault).await?)
    }
}

impl<const IN_PROCESS: bool> Client for Ours<IN_PROCESS> {
    const IN_PROCESS: bool = IN_PROCESS;

    async fn get(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.key_value().get(key).await?.ok_or_else(missing)?);
        Ok(())
    }

    async fn set(&self, key: &str) -> Result<(), Failure> {
        Ok(self.0.key_value().put(key, Bytes::from_static(VALUE)).await?)
    }

    async fn get_document(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.key_value().get_as::<Document>(key).await?.ok_or_else(missing)?);
        Ok(())
    }

    async fn increment(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.counter().increment(key, 1, Expiry::DatabaseDefault).await?);
        Ok(())
    }

    async fn get_many(&self, keys: &[String]) -> Result<(), Failure> {
        let values = self.0.key_value().get_many(keys).await?;
        expect_all(values.iter().flatten().count())
    }

    async fn set_field(&self, key: &str) -> Result<(), Failure> {
        let fields = vec![("field".to_owned(), Bytes::from_static(VALUE))];
        self.0.hash().set_fields(key, fields, Expiry::DatabaseDefault).await?;
        Ok(())
    }
}

/// moka alone, with a time to live and a capacity.
#[derive(Clone, Debug)]
pub(super) struct Moka(moka::sync::Cache<String, Bytes>);

impl Moka {
    pub(super) fn new() -> Self {
        let weigh = |key: &String, value: &Bytes| (key.len() + value.len()) as u32;
        let builder = moka::sync::Cache::builder().max_capacity(BUDGET).weigher(weigh);
        Self(builder.time_to_live(TTL).build())
    }

    pub(super) fn fill(&self, keys: &[String], value: &[u8]) {
        let value = Bytes::copy_from_slice(value);
        keys.iter().for_each(|key| self.0.insert(key.clone(), value.clone()));
    }
}

impl Client for Moka {
    const IN_PROCESS: bool = true;

    async fn get(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.get(key).ok_or_else(missing)?);
        Ok(())
    }

    async fn set(&self, key: &str) -> Result<(), Failure> {
        self.0.insert(key.to_owned(), Bytes::from_static(VALUE));
        Ok(())
    }

    async fn get_document(&self, key: &str) -> Result<(), Failure> {
        let bytes = self.0.get(key).ok_or_else(missing)?;
        black_box(serde_json::from_slice::<Document>(&bytes)?);
        Ok(())
    }

    async fn increment(&self, key: &str) -> Result<(), Failure> {
        let entry = self.0.entry_by_ref(key).and_upsert_with(|old| {
            let count = old.and_then(|old| std::str::from_utf8(old.value()).ok()?.parse().ok());
            Bytes::from((count.unwrap_or(0_i64) + 1).to_string())
        });
        black_box(entry);
        Ok(())
    }

    async fn get_many(&self, keys: &[String]) -> Result<(), Failure> {
        let values: Vec<Option<Bytes>> = keys.iter().map(|key| self.0.get(key)).collect();
        expect_all(black_box(values).iter().flatten().count())
    }

    async fn set_field(&self, _: &str) -> Result<(), Failure> {
        Err("moka has no hashes".into())
    }
}

/// Implements the operations on a redis-rs connection.
macro_rules! redis_rs_client {
    ($client:ty, $this:ident => $connection:expr) => {
        impl Client for $client {
            async fn get(&self, key: &str) -> Result<(), Failure> {
                let $this = self;
                black_box($connection.get::<_, Option<Vec<u8>>>(key).await?.ok_or_else(missing)?);
                Ok(())
            }

            async fn set(&self, key: &str) -> Result<(), Failure> {
                let $this = self;
                Ok($connection.set::<_, _, ()>(key, VALUE.as_slice()).await?)
            }

            async fn get_document(&self, key: &str) -> Result<(), Failure> {
                let $this = self;
                let bytes: Option<Vec<u8>> = $connection.get(key).await?;
                black_box(serde_json::from_slice::<Document>(&bytes.ok_or_else(missing)?)?);
                Ok(())
            }

            async fn increment(&self, key: &str) -> Result<(), Failure> {
                let $this = self;
                black_box($connection.incr::<_, _, i64>(key, 1).await?);
                Ok(())
            }

            async fn get_many(&self, keys: &[String]) -> Result<(), Failure> {
                let $this = self;
                let values: Vec<Option<Vec<u8>>> = $connection.mget(keys).await?;
                expect_all(values.iter().flatten().count())
            }

            async fn set_field(&self, key: &str) -> Result<(), Failure> {
                let $this = self;
                Ok($connection.hset::<_, _, _, ()>(key, "field", VALUE.as_slice()).await?)
            }
        }
    };
}

/// redis-rs by default: one connection that many tasks share.
#[derive(Clone)]
pub(crate) struct RedisRs(pub(crate) ConnectionManager);

impl RedisRs {
    pub(crate) async fn connect(url: &str) -> Result<Self, Failure> {
        let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(url)?;
        Ok(Self(ConnectionManager::new_with_config(client, config).await?))
    }
}

redis_rs_client!(RedisRs, this => this.0.clone());

/// A pool of redis-rs connections from deadpool.
#[derive(Clone)]
pub(super) struct Deadpool(deadpool_redis::Pool);

impl Deadpool {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let builder = deadpool_redis::Config::from_url(url).builder()?;
        let pool = builder.max_size(POOL as usize).runtime(deadpool_redis::Runtime::Tokio1);
        Ok(Self(pool.build()?))
    }
}

redis_rs_client!(Deadpool, this => this.0.get().await?);

/// A pool of redis-rs connections from bb8.
#[derive(Clone)]
pub(super) struct Bb8(Arc<bb8::Pool<bb8_redis::RedisConnectionManager>>);

impl Bb8 {
    pub(super) async fn connect(url: &str) -> Result<Self, Failure> {
        let manager = bb8_redis::RedisConnectionManager::new(url)?;
        Ok(Self(Arc::new(bb8::Pool::builder().max_size(POOL).build(manager).await?)))
    }
}

redis_rs_client!(Bb8, this => this.0.get().await?);

/// fred: one connection that many tasks share.
#[derive(Clone)]
pub(super) struct Fred(fred::clients::Client);

impl Fred {
    pub(super) async fn connect(url: &str) -> Result<Self, Failure> {
        let config = fred::prelude::Config::from_url(url)?;
        let client = fred::prelude::Builder::from_config(config).build()?;
        client.init().await?;
        Ok(Self(client))
    }
}

impl Client for Fred {
    async fn get(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.get::<Option<Bytes>, _>(key).await?.ok_or_else(missing)?);
        Ok(())
    }

    async fn set(&self, key: &str) -> Result<(), Failure> {
        Ok(self.0.set::<(), _, _>(key, VALUE.as_slice(), None, None, false).await?)
    }

    async fn get_document(&self, key: &str) -> Result<(), Failure> {
        let bytes: Option<Bytes> = self.0.get(key).await?;
        black_box(serde_json::from_slice::<Document>(&bytes.ok_or_else(missing)?)?);
        Ok(())
    }

    async fn increment(&self, key: &str) -> Result<(), Failure> {
        black_box(self.0.incr::<i64, _>(key).await?);
        Ok(())
    }

    async fn get_many(&self, keys: &[String]) -> Result<(), Failure> {
        let values: Vec<Option<Bytes>> = self.0.mget(keys.to_vec()).await?;
        expect_all(values.iter().flatten().count())
    }

    async fn set_field(&self, key: &str) -> Result<(), Failure> {
        Ok(self.0.hset::<(), _, _>(key, ("field", VALUE.as_slice())).await?)
    }
}
