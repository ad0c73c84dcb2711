//! The handle: typed reads, writes and loads of one cache database.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Database, DatabaseKind, Error, ErrorKind, Result, TypedKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::first::tier::SharedValue;
use crate::inner::Inner;
use crate::metrics::counters::Counters;
use crate::metrics::figures::CacheMetrics;
use crate::options::CacheOptions;
use crate::policy::CachePolicy;
use crate::stamps;

/// A value that a cache can hold: it can be stored and shared.
pub trait Cached: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<V: Serialize + DeserializeOwned + Send + Sync + 'static> Cached for V {}

/// A cache over one database of kind `cache`. Cheap to clone; clones share both tiers.
///
/// The [crate's documentation](crate) lists its guarantees.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) inner: Arc<Inner>,
    /// The documents and tags of entries written through this handle.
    pub(crate) labels: Arc<[Arc<str>]>,
    /// The handle's own policy, if it has one.
    pub(crate) policy: Option<Arc<CachePolicy>>,
    /// Why that policy is invalid, if it is.
    refusal: Option<Arc<str>>,
}

/// The state of a key in the cache.
#[derive(Debug)]
#[must_use]
pub enum Lookup<V> {
    /// The cached value.
    Found(Arc<V>),
    /// The absence of a value is cached.
    Absent,
    /// The cache knows nothing about the key.
    Unknown,
}

/// Whether a removal has reached the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// This process, and every other process that receives the message, no longer serves the old value.
    Delivered,
    /// This process no longer serves the old value; others may until the database is available again. The removal is
    /// kept and delivered in the background, and before this process reads anything from the database again.
    /// `Databases::close` waits for it.
    Pending,
}

/// The result of setting a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Stored {
    /// The value is in the database.
    Stored,
    /// Another caller wrote or invalidated the key at the same time.
    Superseded,
    /// The value is larger than the policy allows, or its document must not be cached. The old value is removed.
    Refused,
    /// The database could not be reached. The old value will be removed as soon as it can.
    Pending,
}

impl Cache {
    /// Opens a cache over `database`. An unavailable server is not an error: reads work without it until it is
    /// available.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the database is not of kind `cache`, or if a setting is out of bounds; the
    /// message names the bounds.
    pub async fn open(database: &Database, options: CacheOptions) -> Result<Self> {
        if database.contract().kind != DatabaseKind::Cache {
            return Err(Error::new(
                ErrorKind::Configuration,
                "open cache",
                format!(
                    "its kind is {}, but a cache needs the kind cache",
                    database.contract().kind
                ),
            )
            .in_database(database.name()));
        }
        options.check().map_err(|why| {
            Error::new(ErrorKind::Configuration, "open cache", why).in_database(database.name())
        })?;
        let enabled = options.enabled;
        let inner = Arc::new(Inner::new(database.clone(), options));
        if enabled {
            inner.listen().await;
            crate::metrics::publication::start(&inner);
        }
        Ok(Self { inner, labels: Arc::default(), policy: None, refusal: None })
    }

    /// A handle to this cache whose values are derived from document `id` and are invalidated with it
    /// ([`Cache::invalidate_document`]).
    #[must_use]
    pub fn of_document(&self, id: &str) -> Self {
        self.labelled(stamps::document(id))
    }

    /// A handle to this cache whose values have `tag` and are invalidated with it
    /// ([`Cache::invalidate_tag`]).
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        self.labelled(stamps::tag(tag))
    }

    /// A handle to this cache with its own policy. If the policy is out of bounds, every call of the handle fails
    /// with [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub fn with_policy(&self, policy: CachePolicy) -> Self {
        let refusal = policy.check().err().map(Arc::from);
        Self { policy: Some(Arc::new(policy)), refusal, ..self.clone() }
    }

    /// Whether the cache reads and stores anything: see [`CacheOptions::enabled`].
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.inner.options.enabled
    }

    /// The cache's database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// The metrics of this process.
    #[must_use]
    pub fn metrics(&self) -> CacheMetrics {
        self.inner.figures()
    }

    /// Adds this process's metrics to those of all processes, in the database of [`crate::CacheOptions::metrics`].
    /// The cache does this every ten seconds.
    ///
    /// # Errors
    /// The metrics database's. If it is unavailable, the next call adds the missing counts.
    pub async fn publish_metrics(&self) -> Result<()> {
        self.inner.publish_figures().await
    }

    /// Publishes the last metrics and removes this process from the list of processes; call it before the program
    /// ends. The cache remains usable.
    ///
    /// # Errors
    /// As [`Cache::publish_metrics`].
    pub async fn close(&self) -> Result<()> {
        let Some(metrics) = self.inner.options.metrics.as_ref() else { return Ok(()) };
        self.inner.publish_figures().await?;
        let key = self.inner.process_key()?;
        metrics.key_value().delete(&[key]).await.map(drop)
    }

    fn labelled(&self, label: String) -> Self {
        let mut labels = self.labels.to_vec();
        if !labels.iter().any(|known| **known == *label) {
            labels.push(label.into());
        }
        Self { labels: labels.into(), ..self.clone() }
    }

    /// Runs `work` in the background, for example to warm the cache when a program starts. The task is aborted when
    /// the cache is dropped. A disabled cache does nothing.
    ///
    /// ```
    /// # use compartment_cache::{Cache, WarmOptions};
    /// # use compartment_core::KeyTemplate;
    /// const SUMMARY: KeyTemplate<String> =
    ///     KeyTemplate::new("summary", "doc:summary:{document_uuid}", "cache");
    ///
    /// # fn begin(cache: &Cache) {
    /// cache.spawn(|cache| async move {
    ///     let reads = ["7f3a", "81c0"].map(|id| {
    ///         let cache = cache.clone();
    ///         async move { cache.get(&SUMMARY.key(&[id])?).await.map(|found| found.is_some()) }
    ///     });
    ///     let report = cache.warm(reads, &WarmOptions::default(), |_| {}).await;
    ///     tracing::info!(found = report.found, "warm");
    /// });
    /// # }
    /// ```
    pub fn spawn<F>(&self, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.is_enabled() {
            let task = tokio::spawn(work(self.clone()));
            self.inner.keep_task(task.abort_handle());
        }
    }

    /// Rejects keys of other databases, invalid labels and an invalid policy.
    pub(crate) fn check<V>(&self, key: &TypedKey<V>) -> Result<()> {
        stamps::check_labels(&self.labels)?;
        if let Some(why) = &self.refusal {
            return Err(Error::new(ErrorKind::InvalidArgument, "use cache", why.to_string())
                .in_database(self.inner.database.name())
                .at_key(key.as_str()));
        }
        let of_template = key.template().database();
        // Most templates of a cache name its database by one text of the program: it is found to be right once.
        let known = &self.inner.role;
        if known.get().is_some_and(|known| std::ptr::eq(*known, of_template)) {
            return Ok(());
        }
        let wanted = self.inner.options.roles.resolve(of_template);
        let name = self.inner.database.name();
        if wanted == name {
            let _ = known.set(of_template);
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidArgument,
            "use cache",
            format!("the key belongs to database {wanted:?}, but this cache uses {name:?}"),
        )
        .at_key(key.as_str()))
    }

    pub(crate) fn policy_of<V>(&self, key: &TypedKey<V>) -> &Arc<CachePolicy> {
        let inner = &self.inner;
        let of_template = || inner.policies.get(key.template().name()).unwrap_or(&inner.policy);
        self.policy.as_ref().unwrap_or_else(of_template)
    }

    pub(crate) fn counters_of<V>(&self, key: &TypedKey<V>) -> &Arc<Counters> {
        self.inner.metrics.of(key.template().name())
    }

    pub(crate) fn terms<V>(&self, key: &TypedKey<V>) -> Terms {
        let template = key.template();
        let options = &self.inner.options;
        let policy = Arc::clone(self.policy_of(key));
        let ttl = policy
            .ttl
            .or_else(|| options.ttls.get(template.name()).copied())
            .or(template.ttl())
            .or(self.inner.database.contract().default_ttl)
            .unwrap_or(Duration::from_secs(86_400));
        Terms { policy, ttl, counters: Arc::clone(self.counters_of(key)) }
    }
}

/// The settings that apply to the entries of one template.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) policy: Arc<CachePolicy>,
    pub(crate) ttl: Duration,
    pub(crate) counters: Arc<Counters>,
}

/// Converts a value to its form in the first tier.
pub(crate) fn erase<V: Cached>(value: Option<&Arc<V>>) -> SharedValue {
    value.map(|value| Arc::clone(value) as Arc<dyn Any + Send + Sync>)
}

/// Downcasts a value; the error means that it has another type.
pub(crate) fn typed<V: Cached>(value: &SharedValue) -> Result<Option<Arc<V>>, ()> {
    match value {
        Some(value) => Arc::clone(value).downcast::<V>().map(Some).map_err(drop),
        None => Ok(None),
    }
}
